"""A callback that a settings file can name, and Lightning's own command line with it."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from lightning.pytorch import Trainer

from collapse_guard import ArgumentError
from collapse_guard.callbacks import CollapseGuard, WatchHeldOut
from tests.callbacks.lightning.runs import QUIET, LanguageModule, make_trainer, rows
from tests.callbacks.one_call.people import people_write, word_tokenizer

pytestmark = [
    *QUIET,
    pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before"),
]


class TokenizedModule(LanguageModule):
    """A module that knows its tokenizer, and whose arguments a file can hold."""

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        self.scale = scale
        self.tokenizer = word_tokenizer()

    def train_dataloader(self) -> torch.utils.data.DataLoader:
        return rows()


@pytest.fixture
def held_out(tmp_path: Path) -> str:
    path = tmp_path / "held_out.jsonl"
    path.write_text("".join(json.dumps({"text": t}) + "\n" for t in people_write(80, seed=5)))
    return str(path)


@pytest.mark.slow
def test_it_watches_as_watch_does(tmp_path: Path, held_out: str) -> None:
    def trained(*callbacks: WatchHeldOut) -> tuple[list[float], Trainer]:
        module = TokenizedModule()
        trainer = make_trainer(tmp_path, *callbacks, max_steps=4)
        # Dropout is on and rows are shuffled, so that random states have to be as they were.
        torch.manual_seed(0)
        trainer.fit(module)
        return module.losses, trainer

    alone, _ = trained()
    callback = WatchHeldOut(held_out, every_n_steps=2, name="parts", writing=False)
    beside, trainer = trained(callback)
    assert beside == alone
    assert callback.watched is not None
    steps = [look.step for look in callback.watched.monitor.history]
    assert steps[0] == 0
    assert steps[-1] == 4
    assert sum(isinstance(each, CollapseGuard) for each in trainer.callbacks) == 1
    assert "parts/tail_retention" in trainer.callback_metrics


@pytest.mark.slow
def test_a_resumed_run_goes_on(tmp_path: Path, held_out: str) -> None:
    first = WatchHeldOut(held_out, every_n_steps=2)
    trainer = make_trainer(tmp_path, first, max_steps=2)
    trainer.fit(TokenizedModule())
    path = tmp_path / "first.ckpt"
    trainer.save_checkpoint(path)
    later = WatchHeldOut(held_out, every_n_steps=2)
    make_trainer(tmp_path, later, max_steps=4).fit(
        TokenizedModule(), ckpt_path=path, weights_only=False
    )
    assert first.watched is not None
    assert later.watched is not None
    own = later.watched.monitor
    assert own.baseline is not None
    assert own.baseline.tail_logprob == first.watched.monitor.baseline.tail_logprob


def test_its_tokenizer_may_be_named(tmp_path: Path, held_out: str) -> None:
    word_tokenizer().save_pretrained(tmp_path / "words")
    callback = WatchHeldOut(held_out, tokenizer=str(tmp_path / "words"), tokens_per_step=64.0)
    trainer = make_trainer(tmp_path, callback, max_steps=4)
    module = LanguageModule()
    callback.setup(trainer, module, "validate")
    assert callback.watched is None
    callback.setup(trainer, module, "fit")
    watched = callback.watched
    assert watched is not None
    callback.setup(trainer, module, "fit")
    assert callback.watched is watched


def test_a_module_without_a_tokenizer_is_told(tmp_path: Path, held_out: str) -> None:
    callback = WatchHeldOut(held_out)
    with pytest.raises(ArgumentError, match="`tokenizer`"):
        callback.setup(make_trainer(tmp_path, callback), LanguageModule(), "fit")


def test_what_cannot_work_is_said_when_it_is_made() -> None:
    with pytest.raises(ArgumentError, match="`held_out`"):
        WatchHeldOut("none.jsonl")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_lightning_s_command_line_takes_it_from_a_file(
    tmp_path: Path, held_out: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lightning.pytorch.cli import LightningCLI

    settings: dict[str, Any] = {
        "seed_everything": 1,
        "trainer": {
            "accelerator": "cpu",
            "max_steps": 4,
            "logger": False,
            "enable_checkpointing": False,
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "default_root_dir": str(tmp_path),
            "callbacks": [
                {
                    "class_path": "collapse_guard.callbacks.WatchHeldOut",
                    "init_args": {"held_out": held_out, "every_n_steps": 2, "on_alert": "stop"},
                }
            ],
        },
        "model": {"class_path": f"{__name__}.TokenizedModule", "init_args": {"scale": 2.0}},
    }
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump(settings))
    monkeypatch.setattr(sys, "argv", ["train.py", "fit", "--config", str(file)])
    cli = LightningCLI(save_config_callback=None)
    (callback,) = [each for each in cli.trainer.callbacks if isinstance(each, WatchHeldOut)]
    assert callback.watched is not None
    assert [look.step for look in callback.watched.monitor.history] == [0, 2, 4]
