"""What is to be known of a Lightning Trainer."""

import torch
from lightning.pytorch import Trainer

from collapse_guard.callbacks.one_call.lightning import of_lightning
from tests.callbacks.lightning.runs import LanguageModule


def test_its_steps_are_taken_where_the_tokens_are_told() -> None:
    trainer = Trainer(max_steps=7, accelerator="cpu", logger=False, enable_checkpointing=False)
    module = LanguageModule()
    target = of_lightning(trainer, module, steps=None, tokens_per_step=64.0)
    length = target.length(0.0)
    assert length is not None
    assert length.steps == 7
    assert target.model is module.net
    unknown = of_lightning(trainer, module, steps=None, tokens_per_step=None)
    assert unknown.length(0.0) is None


def test_what_it_trains_with_is_told_once_it_does() -> None:
    trainer = Trainer(max_steps=7, accelerator="cpu", logger=False, enable_checkpointing=False)
    module = LanguageModule()
    target = of_lightning(trainer, module, steps=None, tokens_per_step=64.0)
    assert target.settings()["optimizer"] == []
    trainer.strategy.optimizers = [torch.optim.AdamW(module.parameters(), lr=0.5)]
    settings = target.settings()
    assert (settings["optimizer"], settings["learning_rate"]) == (["AdamW"], [0.5])
    assert (settings["max_steps"], settings["processes"]) == (7, 1)
