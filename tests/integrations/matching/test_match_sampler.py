"""One line before training: the matched loss in each trainer, and nothing else changed."""

import copy
import logging
import pickle
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import (
    AutoModelForCausalLM,
    DataCollatorForLanguageModeling,
    DataCollatorForSeq2Seq,
    PreTrainedModel,
)

from collapse_guard import (
    ArgumentError,
    Decoding,
    MixCollator,
    MixGuard,
    SamplerMatchedLoss,
    mark_labels,
    sample,
)
from collapse_guard.integrations.matching.match_sampler import match_on, match_sampler
from tests.callbacks.lightning.runs import QUIET, make_trainer as make_lightning
from tests.integrations.matching.runs import (
    DECODINGS,
    assert_same_step,
    expected_step,
    first_step,
    gradients_of,
    make_sft,
    make_trainer,
    ragged_rows,
    tiny_gemma2,
    tiny_mixtral,
    tiny_tokenizer,
)
from tests.processes import on_launched_processes
from tests.tiny import VOCAB, tiny_gpt2, tiny_llama

pytestmark = QUIET

COLD = Decoding(temperature=0.6)

# What the compiler says where it goes on after a call that it leaves out.
GRAPH_BREAKS = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")


def batch(**settings: Any) -> dict[str, torch.Tensor]:
    return dict(DataCollatorForSeq2Seq(tiny_tokenizer())(ragged_rows(**settings)))


def state_of(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def assert_same_weights(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert torch.equal(value, other[name]), name


# A step with the Trainer


@pytest.mark.parametrize(
    "settings",
    [
        {"gradient_accumulation_steps": 2},
        {"gradient_accumulation_steps": 4, "per_device_train_batch_size": 2},
        {"per_device_train_batch_size": 8, "activation_checkpointing": True},
    ],
    ids=["2", "4", "checkpointed"],
)
@pytest.mark.parametrize("make", [tiny_llama, tiny_gemma2])
@pytest.mark.parametrize("scaled", [False, True], ids=["", "scaled"])
def test_a_step_is_that_of_the_matched_loss(
    tmp_path: Path, make: Any, settings: dict[str, Any], scaled: bool
) -> None:
    rows = ragged_rows(prompt=3)
    trainer = make_trainer(tmp_path, make(), rows, **settings)
    with match_sampler(trainer, DECODINGS, scale_by_temperature=scaled):
        found = first_step(trainer)
    assert_same_step(found, expected_step(make(), rows, scale_by_temperature=scaled))


def test_a_step_of_a_mixture_of_experts_has_its_auxiliary_loss(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, tiny_mixtral(), ragged_rows(), per_device_train_batch_size=8)
    match_sampler(trainer, DECODINGS)
    found = first_step(trainer)
    model = tiny_mixtral()
    loss, _ = expected_step(model, ragged_rows())
    auxiliary = 0.1 * model(**(batch() | {"labels": None})).aux_loss
    auxiliary.backward()
    assert_same_step(found, (loss + auxiliary.item(), gradients_of(model)))


def adapted() -> Any:
    config = LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False)
    torch.manual_seed(0)
    return get_peft_model(tiny_llama(), config)


def test_a_step_of_adapters_is_that_of_the_matched_loss(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, adapted(), ragged_rows(), gradient_accumulation_steps=2)
    match_sampler(trainer, DECODINGS)
    assert_same_step(first_step(trainer), expected_step(adapted(), ragged_rows()))


def test_mixed_precision_stays_near(tmp_path: Path) -> None:
    trainer = make_trainer(
        tmp_path, tiny_llama(), ragged_rows(), gradient_accumulation_steps=2, bf16=True
    )
    match_sampler(trainer, DECODINGS)
    loss, gradients = first_step(trainer)
    expected = expected_step(tiny_llama(), ragged_rows())
    assert loss == pytest.approx(expected[0], rel=0.01)
    for name, gradient in expected[1].items():
        assert (gradients[name] - gradient).norm() < 0.1 * gradient.norm()


@pytest.mark.slow
@GRAPH_BREAKS
def test_a_compiled_step_is_that_of_the_matched_loss(tmp_path: Path) -> None:
    trainer = make_trainer(
        tmp_path,
        tiny_llama(),
        ragged_rows(),
        gradient_accumulation_steps=2,
        torch_compile_backend="aot_eager",
    )
    match_sampler(trainer, DECODINGS)
    assert_same_step(first_step(trainer), expected_step(tiny_llama(), ragged_rows()))


MAKERS = {"hf": make_trainer, "trl": make_sft}
FOLDED = {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 2}


def shared_step(kind: str, folder: Path) -> tuple[float, dict[str, list[float]]]:
    """A step of this process's share, as JSON can hold it."""
    extra = {"ddp_backend": "gloo"}
    trainer = MAKERS[kind](folder, tiny_llama(), ragged_rows(), **FOLDED, **extra)
    match_sampler(trainer, DECODINGS)
    loss, gradients = first_step(trainer)
    return loss, {
        name.removeprefix("module."): gradient.tolist() for name, gradient in gradients.items()
    }


@pytest.mark.slow
@pytest.mark.parametrize("kind", MAKERS)
def test_two_processes_take_the_step_of_one(tmp_path: Path, kind: str) -> None:
    first, second = on_launched_processes(shared_step, tmp_path, kind, tmp_path)
    assert first == second
    loss, gradients = first
    found = {name: torch.tensor(gradient) for name, gradient in gradients.items()}
    assert_same_step((loss, found), expected_step(tiny_llama(), ragged_rows()))


def test_the_order_of_a_mixed_stream_is_not_disturbed(tmp_path: Path) -> None:
    human, written = (
        [
            {"input_ids": row.tolist(), "labels": mark_labels(row, mark).tolist()}
            for row in torch.randint(
                2, VOCAB, (8, 10), generator=torch.Generator().manual_seed(mark)
            )
        ]
        for mark in (0, 1)
    )
    trainer = make_trainer(
        tmp_path,
        tiny_llama(),
        human,
        train_sampling_strategy="sequential",
        max_steps=2,
        data_collator=MixCollator(),
    )
    trainer.train_dataset = MixGuard(human, written, human_fraction=0.5, block_size=4)
    match_sampler(trainer, [COLD])
    # A stream that had been read before would refuse to begin anew.
    trainer.train()
    assert trainer.state.global_step == 2


# A step of a loop, or of Lightning


def in_a_loop(model: Any) -> tuple[float, dict[str, torch.Tensor]]:
    loss = model(**batch()).loss
    loss.backward()
    return loss.item(), gradients_of(model)


def test_a_loop_takes_the_matched_loss_from_the_model() -> None:
    model = tiny_llama()
    match = match_sampler(model, DECODINGS)
    assert isinstance(match.loss, SamplerMatchedLoss)
    assert_same_step(in_a_loop(model), expected_step(tiny_llama(), ragged_rows()))


@pytest.mark.slow
@GRAPH_BREAKS
def test_a_compiled_model_takes_it_too() -> None:
    model = tiny_llama()
    compiled = torch.compile(model, backend="eager")
    match_sampler(compiled, DECODINGS)
    compiled(**batch()).loss.backward()
    expected = expected_step(tiny_llama(), ragged_rows())
    assert_same_step((expected[0], gradients_of(model)), expected)


class LanguageModule(pl.LightningModule):
    def __init__(self, **models: PreTrainedModel) -> None:
        super().__init__()
        self.models = torch.nn.ModuleDict(models)
        self.kept: tuple[float, dict[str, torch.Tensor]] | None = None

    def training_step(self, rows: Any, batch_idx: int) -> torch.Tensor:
        self.loss = self.models["student"](**rows).loss
        return self.loss

    def on_before_optimizer_step(self, optimizer: Any) -> None:
        self.kept = self.loss.item(), gradients_of(self.models["student"])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-2)


def loader(rows: Any, size: int) -> torch.utils.data.DataLoader:
    collate = DataCollatorForSeq2Seq(tiny_tokenizer())
    return torch.utils.data.DataLoader(
        rows, batch_size=size, shuffle=True, collate_fn=lambda rows: dict(collate(rows))
    )


def test_a_lightning_module_takes_it_from_the_model_in_it(tmp_path: Path) -> None:
    module = LanguageModule(student=tiny_llama())
    match_sampler(module, DECODINGS)
    make_lightning(tmp_path, max_epochs=1).fit(module, loader(ragged_rows(), 8))
    assert module.kept is not None
    assert_same_step(module.kept, expected_step(tiny_llama(), ragged_rows()))


def test_two_models_need_a_word_which() -> None:
    module = LanguageModule(student=tiny_llama(), teacher=tiny_gpt2())
    with pytest.raises(ArgumentError, match="expected a module with one transformers model"):
        match_sampler(module, DECODINGS)
    match_sampler(module.models["student"], DECODINGS)


# Nothing else is changed


def hf_run(folder: Path, attach: bool) -> torch.nn.Module:
    rows = ragged_rows(24, marked=False)
    trainer = make_trainer(folder, tiny_gpt2(dropout=0.1), rows, max_steps=5)
    if attach:
        match_sampler(trainer, DECODINGS)
    trainer.train()
    return trainer.model


def lightning_run(folder: Path, attach: bool) -> torch.nn.Module:
    torch.manual_seed(3)
    module = LanguageModule(student=tiny_gpt2(dropout=0.1))
    if attach:
        match_sampler(module, DECODINGS)
    make_lightning(folder, max_steps=5, max_epochs=2).fit(
        module, loader(ragged_rows(24, marked=False), 4)
    )
    return module


@pytest.mark.parametrize("run", [hf_run, lightning_run])
def test_without_marks_a_run_is_the_same_to_the_bit(tmp_path: Path, run: Any) -> None:
    with_it, state = state_of(run(tmp_path, True)), torch.get_rng_state()
    without = state_of(run(tmp_path, False))
    assert_same_weights(with_it, without)
    assert torch.equal(torch.get_rng_state(), state)


def test_evaluation_is_plain(tmp_path: Path) -> None:
    from datasets import Dataset

    human = Dataset.from_list(ragged_rows(marked=False, seed=6))
    trainer = make_trainer(tmp_path, tiny_llama(), ragged_rows(), eval_dataset=human)
    expected = trainer.evaluate()["eval_loss"]
    match_sampler(trainer, DECODINGS)
    assert trainer.evaluate()["eval_loss"] == expected


def test_a_resumed_run_goes_on_as_if_it_had_not_stopped(tmp_path: Path) -> None:
    def run(folder: str, **settings: Any) -> dict[str, torch.Tensor]:
        resume = settings.pop("resume_from_checkpoint", None)
        trainer = make_trainer(
            tmp_path / folder,
            tiny_gpt2(dropout=0.1),
            ragged_rows(24),
            **({"save_strategy": "steps", "save_steps": 2, "max_steps": 4} | settings),
        )
        match_sampler(trainer, DECODINGS)
        trainer.train(resume_from_checkpoint=resume)
        return state_of(trainer.model)

    whole = run("whole")
    resumed = run("resumed", resume_from_checkpoint=str(tmp_path / "whole" / "checkpoint-2"))
    assert_same_weights(whole, resumed)


def test_nothing_of_it_is_saved(tmp_path: Path) -> None:
    plain, model = tiny_llama(), tiny_llama()
    plain.save_pretrained(tmp_path / "plain")
    match_sampler(model, DECODINGS)
    model.save_pretrained(tmp_path / "matched")
    names = sorted(path.name for path in (tmp_path / "plain").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "matched").iterdir())
    for name in names:
        saved = [(tmp_path / folder / name).read_bytes() for folder in ("plain", "matched")]
        assert saved[0] == saved[1]
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "matched")
    with pytest.raises(IndexError, match="out of bounds"):
        loaded(**batch())


# On and off


def test_removal_puts_the_model_back() -> None:
    model = tiny_llama()
    attributes, hooks = dict(model.__dict__), len(model.model._forward_pre_hooks)
    match = match_sampler(model, DECODINGS)
    matched = model(**batch()).loss
    match.remove()
    match.remove()
    assert model.__dict__ == attributes
    assert len(model.model._forward_pre_hooks) == hooks
    with pytest.raises(IndexError, match="out of bounds"):
        model(**batch())
    with match_sampler(model, DECODINGS):
        assert torch.equal(model(**batch()).loss, matched)
    assert model.__dict__ == attributes


def test_it_is_off_after_a_block_that_fails() -> None:
    model = tiny_llama()
    with pytest.raises(ValueError, match="in training"), match_sampler(model, DECODINGS):
        raise ValueError("in training")
    assert "_loss_function" not in model.__dict__


def test_it_goes_on_once() -> None:
    model = tiny_llama()
    match_sampler(model, DECODINGS)
    with pytest.raises(ArgumentError, match="not matched yet"):
        match_sampler(model, DECODINGS)


def test_a_match_is_found_on_its_model_while_it_is_on() -> None:
    model = tiny_gpt2()
    assert match_on(model) is None
    match = match_sampler(model, [COLD, Decoding(0.9)])
    assert match_on(torch.nn.ModuleList([model])) is match
    assert [(each.source, each.decoding) for each in match.sources] == [
        ("1", COLD),
        ("2", Decoding(0.9)),
    ]
    match.remove()
    assert match_on(model) is None


def test_who_takes_its_place_since_stays() -> None:
    model = tiny_llama()
    match = match_sampler(model, DECODINGS)
    model.loss_function = own = lambda logits, labels, **arguments: logits.sum()
    match.remove()
    assert model.loss_function is own


def test_a_copy_is_matched_for_as_long_as_the_model_is() -> None:
    model = tiny_llama()
    match = match_sampler(model, DECODINGS)
    other = copy.deepcopy(model)
    sent = pickle.loads(pickle.dumps(model))
    expected = model(**batch()).loss
    assert torch.equal(other(**batch()).loss, expected)
    assert torch.equal(sent(**batch()).loss, expected)
    match.remove()
    with pytest.raises(IndexError, match="out of bounds"):
        other(**batch())
    match_sampler(other, DECODINGS)


# Refused


def test_what_is_no_model_is_refused() -> None:
    with pytest.raises(ArgumentError, match="`target` expected a Hugging Face Trainer, or a mod"):
        match_sampler("gpt2", DECODINGS)  # type: ignore[arg-type]


def test_nothing_to_match_is_refused() -> None:
    with pytest.raises(ArgumentError, match="at least one decoding"):
        match_sampler(tiny_llama(), [])
    with pytest.raises(ArgumentError, match="top-k above 1"):
        match_sampler(tiny_llama(), [Decoding(top_k=1)])


def test_decodings_may_come_from_what_marks_labels() -> None:
    class Mix:
        decodings = (COLD,)
        losses = 0

        def count_losses(self, change: int) -> None:
            self.losses += change

    mix = Mix()
    match = match_sampler(tiny_llama(), mix)
    assert match.loss.decodings == (COLD,)
    assert mix.losses == 1
    match.remove()
    match.remove()
    assert mix.losses == 0


def test_a_mark_without_a_decoding_is_refused_in_training() -> None:
    model = tiny_llama()
    match_sampler(model, DECODINGS[:1])
    with pytest.raises(ArgumentError, match="as there are 1 decodings"):
        model(**batch())


def test_a_refused_trainer_is_left_as_it_was(tmp_path: Path) -> None:
    model = tiny_llama()
    attributes = dict(model.__dict__)
    trainer = make_trainer(
        tmp_path,
        model,
        ragged_rows(),
        data_collator=DataCollatorForLanguageModeling(tiny_tokenizer(), mlm=False),
    )
    with pytest.raises(ArgumentError, match="keeps the `labels`"):
        match_sampler(trainer, DECODINGS)
    trainer.args.loss_type = "dft"
    with pytest.raises(ArgumentError, match="loss_type"):
        match_sampler(trainer, DECODINGS)
    assert model.__dict__ == attributes
    assert not model.model._forward_pre_hooks


def test_training_without_a_mark_is_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = ragged_rows(60, marked=False, longest=7)
    trainer = make_trainer(tmp_path, tiny_gpt2(), rows, per_device_train_batch_size=1)
    match_sampler(trainer, DECODINGS)
    with caplog.at_level(logging.WARNING, logger="collapse_guard"):
        trainer.train()
    (record,) = [each for each in caplog.records if each.name == "collapse_guard"]
    assert "no label said" in record.getMessage()


# What it is for


def own_text(model: PreTrainedModel, count: int) -> torch.Tensor:
    """Rows as the model has read them while it wrote: after the token that begins its text."""
    written = sample(model, num_sequences=count, length=24, seed=1, decoding=COLD)
    return torch.nn.functional.pad(written, (1, 0), value=model.config.bos_token_id)


def test_at_the_generators_own_weights_its_text_hardly_pulls() -> None:
    model = tiny_gpt2()
    ids = own_text(model, 512)

    def pull(labels: torch.Tensor) -> float:
        model.zero_grad()
        model(input_ids=ids, labels=labels).loss.backward()
        return float(torch.stack([each.norm() for each in gradients_of(model).values()]).norm())

    with match_sampler(model, [COLD]):
        matched, plain = pull(mark_labels(ids, 1)), pull(ids)
    assert matched < plain / 3


def entropy_on_own_text(model: PreTrainedModel) -> float:
    with torch.no_grad():
        logprobs = model(own_text(model, 128)).logits.log_softmax(-1)
    return float(-(logprobs.exp() * logprobs).sum(-1).mean())


@pytest.mark.slow
@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_training_on_own_text_hardly_narrows_what_is_written(tmp_path: Path, make: Any) -> None:
    start = tiny_llama()
    ids = own_text(start, 640)

    def lost(labels: torch.Tensor) -> float:
        rows = [
            {"input_ids": row.tolist(), "labels": label.tolist()}
            for row, label in zip(ids, labels, strict=True)
        ]
        model = copy.deepcopy(start)
        trainer = make(
            tmp_path, model, rows, per_device_train_batch_size=32, max_steps=20, learning_rate=1e-3
        )
        with match_sampler(trainer, [COLD]):
            trainer.train()
        return entropy_on_own_text(start) - entropy_on_own_text(model)

    plain, matched = lost(ids), lost(mark_labels(ids, 1))
    assert plain > 0.2
    assert abs(matched) < plain / 4
