"""Training rows that are all a model's: each label counts as drawn, and none has to be marked."""

import copy
import logging
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from datasets import Dataset
from peft import LoraConfig, get_peft_model
from transformers import DataCollatorForLanguageModeling, PreTrainedModel
from transformers.loss.loss_utils import ForCausalLMLoss

from collapse_guard import (
    ArgumentError,
    Decoding,
    MixGuard,
    SamplerMatchedLoss,
    Source,
    mark_labels,
    sample,
)
from collapse_guard.integrations.find_decoding import find_decoding_for
from collapse_guard.integrations.matching.all_drawn import decoding_of_all, find_for_all
from collapse_guard.integrations.matching.causal_loss import MatchedCausalLoss
from collapse_guard.integrations.matching.match_sampler import match_sampler
from collapse_guard.integrations.matching.seen_marks import SeenMarks
from tests.callbacks.lightning.runs import QUIET, make_trainer as make_lightning
from tests.integrations.matching.runs import (
    Row,
    make_sft,
    make_trainer,
    ragged_rows,
    tiny_mixtral,
    tiny_tokenizer,
)
from tests.processes import on_launched_processes
from tests.tiny import VOCAB, tiny_gpt2, tiny_llama

pytestmark = QUIET

COLD = Decoding(temperature=0.6, top_k=20)
PLAIN = ragged_rows(24, marked=False, prompt=2)
MARKED: list[Row] = [
    {**row, "labels": mark_labels(torch.tensor(row["labels"]), 1).tolist()} for row in PLAIN
]
LORA = {"peft_config": LoraConfig(task_type="CAUSAL_LM", target_modules=["q_proj", "v_proj"])}


def weights(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def are_same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def trained(trainer: Any, *given: Any, **how: Any) -> dict[str, torch.Tensor]:
    """Weights after 5 steps, and no loss of evaluation that is not the plain one."""
    torch.manual_seed(5)
    plain = trainer.evaluate()["eval_loss"]
    if given:
        match_sampler(trainer, *given, **how)
        assert trainer.evaluate()["eval_loss"] == plain
    torch.manual_seed(5)
    trainer.train()
    return weights(trainer.model)


def adapted() -> Any:
    return get_peft_model(tiny_llama(), LORA["peft_config"])


RUNS = {
    "hf, adapters": (make_trainer, adapted, {}),
    "hf": (make_trainer, tiny_llama, {}),
    "experts": (make_trainer, tiny_mixtral, {}),
    "dropout": (make_trainer, lambda: tiny_gpt2(dropout=0.1), {"gradient_accumulation_steps": 2}),
    "trl": (make_sft, tiny_llama, {}),
    "trl, adapters": (make_sft, tiny_llama, LORA),
    "trl, padding-free": (make_sft, tiny_llama, {"padding_free": True, "max_length": None}),
}


@pytest.mark.filterwarnings("ignore:`gradient_checkpointing:FutureWarning")
@pytest.mark.parametrize(("make", "model", "settings"), RUNS.values(), ids=RUNS)
def test_a_run_is_that_on_labels_that_are_all_marked(
    tmp_path: Path, make: Any, model: Any, settings: dict[str, Any]
) -> None:
    def run(rows: list[Row], *given: Any, **how: Any) -> dict[str, torch.Tensor]:
        own = {"eval_dataset": Dataset.from_list(PLAIN[:4]), "max_steps": 5, **settings}
        torch.manual_seed(1)  # Adapters begin at random.
        return trained(make(tmp_path, model(), rows, **own), *given, **how)

    found = run(PLAIN, COLD, drawn="all")
    assert are_same(found, run(MARKED, [COLD]))
    plain = run(PLAIN)
    assert not are_same(found, plain)
    assert are_same(run(PLAIN, Decoding(), drawn="all"), plain)


def shared_runs(folder: Path) -> list[list[float]]:
    """Weights after runs of this share, on rows that are all drawn and on marked ones."""

    def run(rows: list[Row], *given: Any, **how: Any) -> list[float]:
        trainer = make_trainer(folder, tiny_llama(), rows, max_steps=3, ddp_backend="gloo")
        match_sampler(trainer, *given, **how)
        trainer.train()
        return torch.cat([each.flatten() for each in weights(trainer.model).values()]).tolist()

    return [run(PLAIN, COLD, drawn="all"), run(MARKED, [COLD])]


@pytest.mark.slow
def test_so_is_one_on_two_processes(tmp_path: Path) -> None:
    (one, marked), second = on_launched_processes(shared_runs, tmp_path, tmp_path)
    assert [one, marked] == second
    assert one == marked


class Module(pl.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.model = tiny_gpt2(dropout=0.1)
        self.validation: list[float] = []

    def training_step(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        return self.model(**batch).loss

    def validation_step(self, batch: dict[str, torch.Tensor]) -> None:
        self.validation.append(self.model(**batch).loss.item())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-2)


def batches(rows: list[Row]) -> list[dict[str, torch.Tensor]]:
    return [
        {name: torch.tensor([row[name]]) for name in ("input_ids", "labels")} for row in rows[:6]
    ]


def test_so_is_one_with_lightning(tmp_path: Path) -> None:
    def run(rows: list[Row], *given: Any, **how: Any) -> tuple[Any, float]:
        torch.manual_seed(3)
        module = Module()
        if given:
            match_sampler(module, *given, **how)
        trainer = make_lightning(tmp_path, max_epochs=1, num_sanity_val_steps=1)
        loaders = [
            torch.utils.data.DataLoader(batches(each), batch_size=None)  # type: ignore[arg-type]
            for each in (rows, PLAIN[:1])
        ]
        trainer.fit(module, *loaders)
        return weights(module), module.validation[0]

    found, validation = run(PLAIN, COLD, drawn="all")
    assert are_same(found, run(MARKED, [COLD])[0])
    plain, expected = run(PLAIN)
    assert not are_same(found, plain)
    # Before the first step, when all of them are still the same model.
    assert validation == expected


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")
def test_a_compiled_model_takes_it_too() -> None:
    model = tiny_llama()
    compiled = torch.compile(model, backend="eager")
    (batch,) = batches(PLAIN[:1])
    plain = model(**batch).loss.item()
    match_sampler(compiled, COLD, drawn="all")
    for is_training in (True, False, True):
        found = compiled.train(is_training)(**batch).loss.item()
        assert (found == pytest.approx(plain)) is not is_training


def test_a_copy_has_a_mode_of_its_own() -> None:
    model = tiny_llama()
    (batch,) = batches(PLAIN[:1])
    plain = model(**batch).loss
    match_sampler(model, COLD, drawn="all")
    other = copy.deepcopy(model).eval()
    matched = model(**batch).loss
    assert torch.equal(other(**batch).loss, plain)
    assert torch.equal(model(**batch).loss, matched)
    assert not torch.equal(matched, plain)


def test_it_is_taken_off_whole() -> None:
    model = tiny_llama()
    attributes, hooks = dict(model.__dict__), len(model.model._forward_pre_hooks)
    match_sampler(model, [COLD], drawn="all").remove()
    assert model.__dict__ == attributes
    assert len(model.model._forward_pre_hooks) == hooks


def test_what_is_to_be_ignored_may_have_another_number() -> None:
    loss = MatchedCausalLoss(
        ForCausalLMLoss, SamplerMatchedLoss([COLD]), SeenMarks(marks_all=True), all_drawn=True
    )
    logits = torch.randn(2, 6, VOCAB, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(12).view(2, 6)
    labels[:, :3] = -100
    loss.note_mode(torch.nn.Linear(1, 1))
    expected = loss(logits, labels, VOCAB)
    ignored = labels.masked_fill(labels == -100, -1)
    assert torch.equal(loss(logits, ignored, VOCAB, ignore_index=-1), expected)
    # Nothing counts, so that nothing is matched.
    assert loss(logits, torch.full_like(labels, -1), VOCAB, ignore_index=-1).isnan()


def test_training_in_evaluation_mode_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    model = tiny_llama().eval()
    match_sampler(model, COLD, drawn="all")
    (batch,) = batches(PLAIN[:1])
    with caplog.at_level(logging.WARNING, logger="collapse_guard"):
        for _ in range(60):
            model(**batch)
    (record,) = [each for each in caplog.records if each.name == "collapse_guard"]
    assert "Call model.train()" in record.getMessage()


# Found


def own_rows(model: PreTrainedModel, count: int = 24) -> list[Row]:
    drawn = sample(model, num_sequences=count, length=12, seed=0, decoding=COLD)
    return [{"input_ids": row} for row in drawn.tolist()]


HUMAN = torch.randint(VOCAB, (8, 12), generator=torch.Generator().manual_seed(2)).tolist()
SEARCH = {"held_out": HUMAN, "candidates": [Decoding(0.5), Decoding(top_k=5)], "steps": 2}


@pytest.mark.filterwarnings("ignore:`gradient_checkpointing:FutureWarning")
@pytest.mark.parametrize("make", [make_trainer, make_sft], ids=["hf", "trl"])
def test_a_decoding_is_found_that_the_run_goes_on_with(tmp_path: Path, make: Any) -> None:
    def trainer() -> Any:
        own = {"data_collator": DataCollatorForLanguageModeling(tiny_tokenizer(), mlm=False)}
        own = own if make is make_trainer else {}
        rows = [{**row, "labels": row["input_ids"]} for row in own_rows(tiny_llama())]
        return make(tmp_path, tiny_llama(), rows, max_steps=3, **own)

    searching, knowing = trainer(), trainer()
    match = match_sampler(searching, "find", drawn="all", **SEARCH)
    (search,) = match.searches.values()
    assert match.loss.decodings == (search.decoding,)
    assert {trial.decoding for trial in search.trials} >= {*SEARCH["candidates"], Decoding()}
    match_sampler(knowing, search.decoding, drawn="all")
    for each in (searching, knowing):
        torch.manual_seed(5)
        each.train()
    assert are_same(weights(searching.model), weights(knowing.model))


def test_it_is_found_in_what_the_collator_makes_of_rows(tmp_path: Path) -> None:
    rows = own_rows(tiny_llama())
    trainer = make_trainer(tmp_path, tiny_llama(), rows)

    def collate(rows: list[Row]) -> dict[str, torch.Tensor]:
        ids = torch.tensor([row["input_ids"] for row in rows])
        return {"input_ids": ids, "labels": ids.index_fill(1, torch.arange(4), -100)}

    trainer.data_collator = collate
    _, found = find_for_all(trainer, "find", **SEARCH)
    masked = [{**row, "labels": [-100] * 4 + row["input_ids"][4:]} for row in rows]
    assert found["all"].trials == find_decoding_for(trainer, masked, **SEARCH).trials
    assert found["all"].trials != find_decoding_for(trainer, rows, **SEARCH).trials
    trainer.data_collator = lambda rows: {"labels": torch.zeros(1, 4)}
    with pytest.raises(ArgumentError, match="`rows` expected mappings with a column `input_ids`"):
        find_for_all(trainer, "find", **SEARCH)


def test_what_cannot_be_found_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="`decodings` expected the Decoding itself"):
        match_sampler(tiny_llama(), "find", drawn="all", held_out=HUMAN)
    trainer = make_trainer(tmp_path, tiny_llama(), own_rows(tiny_llama()))
    with pytest.raises(ArgumentError, match="`held_out` expected human text"):
        match_sampler(trainer, "find", drawn="all")
    with pytest.raises(ArgumentError, match='`steps` expected "find"'):
        match_sampler(trainer, COLD, drawn="all", steps=2)
    with pytest.raises(ArgumentError, match="`decodings` expected decodings, or a mix"):
        match_sampler(trainer, "find", held_out=HUMAN)


# Refused


@pytest.mark.parametrize("given", [[], [COLD, COLD], "some", None, object()])
def test_all_have_one_decoding(given: Any) -> None:
    with pytest.raises(ArgumentError, match="`decodings` expected the one Decoding of all rows"):
        decoding_of_all(given)


def test_which_are_drawn_is_one_of_two_words() -> None:
    with pytest.raises(ArgumentError, match="`drawn` expected"):
        match_sampler(tiny_llama(), COLD, drawn="some")  # type: ignore[arg-type]


@pytest.mark.parametrize("is_training", [True, False])
def test_marked_labels_are_refused(is_training: bool) -> None:
    model = tiny_llama().train(is_training)
    match_sampler(model, COLD, drawn="all")
    with pytest.raises(ArgumentError, match="`labels` expected labels without marks"):
        model(**batches(MARKED)[0])


def test_rows_that_are_not_all_drawn_are_refused(tmp_path: Path) -> None:
    attributes = dict((model := tiny_llama()).__dict__)
    trainer = make_trainer(tmp_path, model, MARKED)
    with pytest.raises(ArgumentError, match="`drawn` expected"):
        match_sampler(trainer, COLD, drawn="all")
    rows = own_rows(model)
    for sources in (
        (rows, Source(rows, "web", "synthetic")),
        (None, Source(rows, "web", "synthetic", decoding=COLD)),
    ):
        floor = 0.0 if sources[0] is None else 0.5
        trainer.train_dataset = MixGuard(*sources, human_fraction=floor, block_size=4)
        with pytest.raises(ArgumentError, match="`drawn` expected"):
            match_sampler(trainer, COLD, drawn="all")
    assert model.__dict__ == attributes
    trainer.train_dataset = MixGuard(None, rows, human_fraction=0.0, block_size=4)
    match_sampler(trainer, COLD, drawn="all")
