"""The finder with the settings of a trainer, which is left as it was."""

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from transformers import Trainer, TrainingArguments

from collapse_guard.errors import ArgumentError
from collapse_guard.finder.find import find_decoding
from collapse_guard.finder.search import DecodingSearch
from collapse_guard.integrations import find_decoding as integration
from collapse_guard.integrations.find_decoding import find_decoding_for
from collapse_guard.model.decoding import Decoding
from tests.callbacks.huggingface.runs import make_trainer as make_hf_trainer
from tests.callbacks.lightning.runs import QUIET, LanguageModule, fit, make_trainer
from tests.callbacks.witness import digest
from tests.tiny import tiny_gpt2, zipf_documents

pytestmark = QUIET

ROWS = [{"input_ids": ids} for ids in zipf_documents(24, length=16, seed=5)]
HUMAN = zipf_documents(12, length=16, seed=6)
FEW = {"candidates": [Decoding(temperature=0.8), Decoding(top_k=10)], "steps": 3}


def numbers(search: DecodingSearch) -> list[tuple[Decoding, float]]:
    return [(trial.decoding, trial.human_nll) for trial in search.trials]


def by_hand(model: torch.nn.Module, **settings: Any) -> list[tuple[Decoding, float]]:
    return numbers(find_decoding(model, ROWS, HUMAN, **{**FEW, **settings}))


def assert_alike(one: list[tuple[Decoding, float]], other: list[tuple[Decoding, float]]) -> None:
    """The same up to the rounding of an optimizer's kernels, of which there are several."""
    assert [decoding for decoding, _ in one] == [decoding for decoding, _ in other]
    assert [nll for _, nll in one] == pytest.approx([nll for _, nll in other], abs=1e-5)


def adamw(parameters: list[torch.nn.Parameter], **settings: Any) -> torch.optim.Optimizer:
    return torch.optim.AdamW(parameters, lr=1e-2, **settings)


def decayed(model: torch.nn.Module) -> list[dict[str, Any]]:
    """Matrices under weight decay, and all else without."""
    matrices = [each for each in model.parameters() if each.dim() > 1]
    others = [each for each in model.parameters() if each.dim() < 2]
    return [
        {"params": matrices, "weight_decay": 0.5},
        {"params": others, "weight_decay": 0.0},
    ]


def test_a_trainer_s_own_settings_are_taken(tmp_path: Path) -> None:
    trainer = make_hf_trainer(
        tmp_path,
        per_device_train_batch_size=2,
        gradient_accumulation_steps=3,
        weight_decay=0.5,
        max_grad_norm=0.1,
        warmup_steps=5,
        adam_beta2=0.9,
    )
    before = trainer_state(trainer)
    found = find_decoding_for(trainer, ROWS, HUMAN, **FEW)
    assert trainer_state(trainer) == before
    model = tiny_gpt2(dropout=0.1)
    expected = by_hand(
        model,
        optimizer=lambda _: torch.optim.AdamW(decayed(model), lr=1e-2, betas=(0.9, 0.9)),
        batch_size=6,
        micro_batch_size=2,
        max_grad_norm=0.1,
    )
    assert_alike(numbers(found), expected)


def trainer_state(trainer: Trainer) -> list[Any]:
    return [
        digest(trainer.model.state_dict()),
        trainer.optimizer,
        trainer.lr_scheduler,
        [module.training for module in trainer.model.modules()],
        sorted(vars(trainer)),
    ]


def test_training_is_the_same_after_it(tmp_path: Path) -> None:
    def weights(look: bool) -> str:
        trainer = make_hf_trainer(tmp_path, max_steps=4)
        if look:
            find_decoding_for(trainer, ROWS, HUMAN, **FEW)
        trainer.train()
        return digest(trainer.model.state_dict())

    assert weights(look=True) == weights(look=False)


def test_what_is_said_goes_before_what_the_trainer_says(tmp_path: Path) -> None:
    trainer = make_hf_trainer(tmp_path)
    found = find_decoding_for(
        trainer, ROWS, HUMAN, **FEW, optimizer=adamw, batch_size=5, max_grad_norm=None
    )
    model = tiny_gpt2(dropout=0.1)
    expected = by_hand(model, optimizer=adamw, batch_size=5, micro_batch_size=4)
    assert numbers(found) == expected


def test_an_optimizer_that_was_given_ready_made_is_made_anew(tmp_path: Path) -> None:
    model = tiny_gpt2(dropout=0.1)
    given = torch.optim.SGD(decayed(model), lr=0.3, momentum=0.5)
    schedule = torch.optim.lr_scheduler.LambdaLR(given, lambda step: step / 10)
    arguments = TrainingArguments(
        str(tmp_path), per_device_train_batch_size=4, report_to="none", use_cpu=True
    )
    trainer = Trainer(model, arguments, optimizers=(given, schedule))
    found = find_decoding_for(trainer, ROWS, HUMAN, **FEW)
    assert trainer.optimizer is given
    assert given.state == {}
    assert given.param_groups[0]["lr"] == 0.0
    assert numbers(found) == by_hand(
        model,
        optimizer=lambda _: torch.optim.SGD(decayed(model), lr=0.3, momentum=0.5),
        batch_size=4,
        max_grad_norm=1.0,
    )


def test_an_optimizer_that_cannot_be_made_anew_is_asked_for(tmp_path: Path) -> None:
    class Odd(torch.optim.SGD):
        def __init__(self, parameters: Any, *, needed: int) -> None:
            super().__init__(parameters, lr=0.1)

    model = tiny_gpt2()
    arguments = TrainingArguments(str(tmp_path), report_to="none", use_cpu=True)
    trainer = Trainer(model, arguments, optimizers=(Odd(model.parameters(), needed=1), None))
    with pytest.raises(ArgumentError, match="made anew out of its groups"):
        find_decoding_for(trainer, ROWS, HUMAN, **FEW)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_the_precision_of_a_trainer(
    tmp_path: Path, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = make_hf_trainer(tmp_path, **({"bf16": True} if precision == "bf16" else {}))
    if precision == "fp16":
        monkeypatch.setattr(type(trainer.accelerator), "mixed_precision", "fp16")
    seen: set[torch.dtype] = set()
    trainer.model.transformer.h[0].mlp.register_forward_hook(
        lambda *_: seen.add(_[2].dtype) if torch.is_grad_enabled() else None
    )
    find_decoding_for(trainer, ROWS, HUMAN, **FEW)
    assert seen == {torch.bfloat16 if precision == "bf16" else torch.float32}
    assert not torch.is_autocast_enabled("cpu")


def test_a_trl_trainer(tmp_path: Path) -> None:
    """Its fused head takes the place of the model's forward."""
    from datasets import Dataset
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast
    from trl import SFTConfig, SFTTrainer

    words = Tokenizer(models.WordLevel({str(number): number for number in range(50)}, "0"))
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words, eos_token="0", pad_token="1", unk_token="0"
    )
    model = tiny_gpt2()
    expected = by_hand(model, optimizer=lambda each: adamw(each, weight_decay=0.0), batch_size=4)
    trainer = SFTTrainer(
        model,
        args=SFTConfig(
            str(tmp_path), per_device_train_batch_size=4, report_to="none", use_cpu=True,
            bf16=False, learning_rate=1e-2, max_grad_norm=0.0, activation_checkpointing=False,
        ),
        train_dataset=Dataset.from_list(ROWS),
        processing_class=tokenizer,
    )  # fmt: skip
    assert_alike(numbers(find_decoding_for(trainer, ROWS, HUMAN, **FEW)), expected)


@pytest.mark.parametrize("shards", ["is_deepspeed_enabled", "is_fsdp_enabled"])
def test_a_model_in_shards_is_refused(tmp_path: Path, shards: str) -> None:
    trainer = make_hf_trainer(tmp_path)
    setattr(trainer, shards, True)
    with pytest.raises(ArgumentError, match=f"whole on each device, but got '{shards}=True'"):
        find_decoding_for(trainer, ROWS, HUMAN, **FEW)


class Scheduled(LanguageModule):
    """Gives its optimizer in a form of Lightning's, and notes things down as it does so."""

    def __init__(self, form: str = "optimizer") -> None:
        super().__init__()
        self.form = form
        self.made: Any = None

    def configure_optimizers(self) -> Any:
        self.made = torch.optim.AdamW(self.parameters(), lr=1e-2)
        self.extra = torch.nn.Linear(2, 2)
        if self.form == "optimizer":
            return self.made
        if self.form == "one cycle":
            schedule: Any = torch.optim.lr_scheduler.OneCycleLR(
                torch.optim.AdamW(self.parameters(), lr=1.0), max_lr=1e-2, total_steps=10,
                cycle_momentum=False,
            )  # fmt: skip
            return {"optimizer": schedule.optimizer, "lr_scheduler": schedule}
        schedule = torch.optim.lr_scheduler.LambdaLR(self.made, lambda step: step / 10)
        return {
            "list": [self.made],
            "pair": ([self.made], [schedule]),
            "dictionary": {"optimizer": self.made, "lr_scheduler": schedule},
            "list of one dictionary": [{"optimizer": self.made, "lr_scheduler": schedule}],
            "two": [self.made, torch.optim.SGD(self.parameters(), lr=0.1)],
            "none": None,
        }[self.form]


@pytest.mark.parametrize(
    "form", ["optimizer", "list", "pair", "dictionary", "list of one dictionary", "one cycle"]
)
def test_a_module_s_optimizer_is_taken_at_its_peak(form: str) -> None:
    module = Scheduled(form)
    before = module_state(module)
    found = find_decoding_for(module, ROWS, HUMAN, **FEW)
    assert module_state(module) == before
    assert module.made is None
    assert not hasattr(module, "extra")
    assert numbers(found) == by_hand(tiny_gpt2(dropout=0.1), optimizer=adamw)


def module_state(module: pl.LightningModule) -> list[Any]:
    return [
        digest(module.state_dict()),
        sorted(vars(module)),
        [name for name, _ in module.named_modules()],
        [each.training for each in module.modules()],
    ]


@pytest.mark.parametrize("form", ["two", "none"])
def test_a_module_without_one_single_optimizer_is_refused(form: str) -> None:
    with pytest.raises(ArgumentError, match="gives one optimizer"):
        find_decoding_for(Scheduled(form), ROWS, HUMAN, **FEW)
    assert find_decoding_for(Scheduled(form), ROWS, HUMAN, **FEW, optimizer=adamw)


def test_clipping_and_precision_are_those_of_the_module_s_trainer(tmp_path: Path) -> None:
    module = LanguageModule()
    trainer = make_trainer(tmp_path, gradient_clip_val=0.1, precision="bf16-mixed")
    fit(trainer, module)
    model = module.net
    seen: set[torch.dtype] = set()
    model.transformer.h[0].mlp.register_forward_hook(
        lambda *_: seen.add(_[2].dtype) if torch.is_grad_enabled() else None
    )
    found = find_decoding_for(module, ROWS, HUMAN, **FEW)
    assert seen == {torch.bfloat16}
    with torch.autocast("cpu", torch.bfloat16):
        expected = by_hand(model, optimizer=adamw, max_grad_norm=0.1)
    assert dict(numbers(found)) == pytest.approx(dict(expected), abs=0.01)


def test_the_language_model_can_be_told() -> None:
    module = LanguageModule()
    module.other = tiny_gpt2(seed=4)
    with pytest.raises(ArgumentError, match="which part of LanguageModule"):
        find_decoding_for(module, ROWS, HUMAN, **FEW)
    found = find_decoding_for(module, ROWS, HUMAN, model=lambda each: each.other, **FEW)
    assert numbers(found) == by_hand(tiny_gpt2(seed=4), optimizer=adamw)


@pytest.mark.parametrize("target", [None, torch.nn.Linear(2, 2), tiny_gpt2()], ids=str)
def test_anything_else_is_refused(target: Any) -> None:
    with pytest.raises(ArgumentError, match="`target` expected a Hugging Face Trainer or"):
        find_decoding_for(target, ROWS, HUMAN, **FEW)


def test_a_trainer_has_a_model_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="`model` expected None for a Trainer"):
        find_decoding_for(make_hf_trainer(tmp_path), ROWS, HUMAN, model=lambda each: each, **FEW)


def test_no_framework_is_imported_by_it() -> None:
    names = set(vars(integration))
    assert not names & {"transformers", "lightning", "accelerate"}
