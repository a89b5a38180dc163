"""The stateful versions against the pure functions, over two processes, and inside Lightning."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torchmetrics import Metric, MetricCollection

from collapse_guard import ArgumentError, HumanReference, ScoringError, TokenizerMismatchError
from collapse_guard.integrations.torchmetrics import (
    HeadLogProbability,
    HeadRetention,
    TailLogProbability,
    TailProbability,
    TailRetention,
    target_logprobs,
)
from collapse_guard.readings.from_logprobs import logprob_readings
from tests.processes import on_processes

VOCAB, PADDED, ROWS, TOKENS = 50, 64, 12, 20
READING_OF = {
    TailLogProbability: "tail_logprob",
    HeadLogProbability: "head_logprob",
    TailProbability: "tail_prob",
    TailRetention: "tail_retention",
    HeadRetention: "head_retention",
}


def make_reference() -> HumanReference:
    counts = (1000 / np.arange(1, VOCAB + 1)).astype(np.int64)
    return HumanReference(counts)


def make_batches() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Logits now and at the start, and targets of which some are ignored."""
    generator = torch.Generator().manual_seed(0)
    now, start = torch.randn(2, ROWS, TOKENS, PADDED, generator=generator) * 3
    targets = torch.randint(VOCAB, (ROWS, TOKENS), generator=generator)
    targets[:, 0] = -100
    targets[3, 10:] = -100
    # A row without a tail token.
    targets[5] = 0
    return now, start, targets


def expected(name: str) -> float:
    """The reading by our pure function, from float64 log-probabilities of one and the same text."""
    now, start, targets = make_batches()
    logprobs, at_start = (
        logits.double().log_softmax(-1).gather(-1, targets.clamp(min=0)[..., None]).squeeze(-1)
        for logits in (now, start)
    )
    readings = logprob_readings(
        list(logprobs.numpy()),
        list(targets.numpy()),
        make_reference(),
        start_logprobs=list(at_start.numpy()),
    )
    return readings[name].value


@pytest.mark.parametrize("kind", list(READING_OF))
def test_special_tokens_are_no_tail(kind: type[Metric]) -> None:
    now, start, targets = make_batches()
    plain = make_reference()
    reference = HumanReference(np.append(plain.counts, 0), special_ids=(VOCAB,))
    padded = torch.where(targets == -100, VOCAB, targets)

    def read(of: HumanReference, labels: torch.Tensor) -> float:
        metric = kind(of)
        retains = kind in (TailRetention, HeadRetention)
        metric.update(now, labels, *([target_logprobs(start, labels)] if retains else []))
        return float(metric.compute())

    assert read(reference, padded) == read(plain, targets)


def update(metric: Metric, rows: slice) -> None:
    now, start, targets = make_batches()
    extra = {}
    if isinstance(metric, TailRetention):
        extra["start_logprobs"] = target_logprobs(start, targets)[rows]
    metric.update(now[rows], targets[rows], **extra)


@pytest.mark.parametrize("kind", READING_OF)
def test_sum_over_batches_equals_the_pure_function(kind: type[TailLogProbability]) -> None:
    metric = kind(make_reference())
    for start in range(0, ROWS, 5):
        update(metric, slice(start, start + 5))
    assert metric.compute().item() == pytest.approx(expected(READING_OF[kind]), rel=1e-5)
    metric.reset()
    with pytest.warns(UserWarning, match="before the ``update``"):
        assert metric.compute().isnan()
    update(metric, slice(0, ROWS))
    assert metric.compute().item() == pytest.approx(expected(READING_OF[kind]), rel=1e-5)


def test_retention_of_an_unchanged_model_is_exactly_one() -> None:
    now, _, targets = make_batches()
    metric = TailRetention(make_reference())
    assert metric(now, targets, target_logprobs(now, targets)).item() == 1.0


def test_low_precision_logits_are_scored_in_float32() -> None:
    now, _, targets = make_batches()
    metric = TailLogProbability(make_reference())
    metric.update(now.bfloat16(), targets)
    exact = TailLogProbability(make_reference())
    exact.update(now.bfloat16().float(), targets)
    assert metric.compute() == exact.compute()


def test_a_collection_updates_equal_states_once() -> None:
    reference = make_reference()
    collection = MetricCollection(
        [TailLogProbability(reference), TailProbability(reference), TailRetention(reference)]
    )
    now, start, targets = make_batches()
    for _ in range(2):
        collection.update(
            logits=now, targets=targets, start_logprobs=target_logprobs(start, targets)
        )
    assert [sorted(group) for group in collection.compute_groups.values()] == [
        ["TailLogProbability", "TailProbability"],
        ["TailRetention"],
    ]
    for name, value in collection.compute().items():
        reading = {kind.__name__: name for kind, name in READING_OF.items()}[name]
        assert value.item() == pytest.approx(expected(reading), rel=1e-5)


def test_nothing_of_the_reference_goes_into_checkpoints() -> None:
    assert TailRetention(make_reference()).state_dict() == {}


def _sum_on_one_of_two() -> dict[str, float]:
    values = {}
    for kind, reading in READING_OF.items():
        metric = kind(make_reference())
        # Shares of unequal size: a mean of means would be another number.
        is_first = torch.distributed.get_rank() == 0
        update(metric, slice(0, 3) if is_first else slice(3, ROWS))
        values[reading] = metric.compute().item()
    return values


@pytest.mark.slow
def test_two_processes_sum_to_the_whole(tmp_path: Path) -> None:
    first, second = on_processes(_sum_on_one_of_two, tmp_path)
    assert first == second
    for reading in READING_OF.values():
        assert first[reading] == pytest.approx(expected(reading), rel=1e-5)


def test_lightning_logs_the_mean_over_the_epoch(tmp_path: Path) -> None:
    # Here, so that the processes above need not import it.
    import lightning

    class TinyModule(lightning.LightningModule):
        def __init__(self, reference: HumanReference) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(()))
            self.tail_logprob = TailLogProbability(reference)
            self.tail_retention = TailRetention(reference)

        def validation_step(self, batch: list[torch.Tensor], batch_idx: int) -> None:
            logits, start_logprobs, targets = batch
            self.tail_logprob.update(logits + self.weight, targets)
            self.tail_retention.update(logits + self.weight, targets, start_logprobs)
            self.log("tail_logprob", self.tail_logprob, on_epoch=True)
            self.log("tail_retention", self.tail_retention, on_epoch=True)

    now, start, targets = make_batches()
    rows = torch.utils.data.TensorDataset(now, target_logprobs(start, targets), targets)
    with warnings.catch_warnings():
        # Lightning warns of the machine: few workers, and deprecations of its own.
        warnings.simplefilter("ignore")
        trainer = lightning.Trainer(
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=tmp_path,
        )
        module = TinyModule(make_reference())
        loader = torch.utils.data.DataLoader(rows, batch_size=5)
        for _ in range(2):
            (logged,) = trainer.validate(module, loader, verbose=False)
            for name, value in logged.items():
                assert value == pytest.approx(expected(name), rel=1e-5)
    assert set(logged) == {"tail_logprob", "tail_retention"}


def test_no_tail_token_reads_nan() -> None:
    now, _, targets = make_batches()
    metric = TailProbability(make_reference())
    assert metric(now, torch.zeros_like(targets)).isnan()
    assert metric(now, torch.full_like(targets, -100)).isnan()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda given: {"targets": given["targets"][:, 1:]}, ArgumentError, r"`logits` expected"),
        (lambda given: {"logits": given["logits"][0]}, ArgumentError, r"`logits` expected shape"),
        (lambda given: {"targets": given["targets"] * 0 + 64}, ArgumentError, "0 to 63"),
        (lambda given: {"targets": given["targets"] * 0 - 1}, ArgumentError, "but got -1"),
        (lambda given: {"targets": given["targets"].float()}, ArgumentError, "torch.float32"),
        (
            lambda given: {"targets": given["targets"] * 0 + 55},
            TokenizerMismatchError,
            "counts 50 types, but the model knows 64 and the largest target is 55",
        ),
        (
            lambda given: {"logits": given["logits"][..., :40], "targets": given["targets"] * 0},
            TokenizerMismatchError,
            "the model knows 40",
        ),
        (
            lambda given: {"logits": given["logits"] * float("nan")},
            ScoringError,
            "row 0, position",
        ),
        (
            lambda given: {"start_logprobs": given["start_logprobs"][:2]},
            ArgumentError,
            "`start_logprobs` expected shape",
        ),
        (
            lambda given: {"start_logprobs": given["start_logprobs"] * float("nan")},
            ArgumentError,
            "`start_logprobs` expected finite",
        ),
    ],
)
def test_bad_input_is_named(change: Any, error: type[Exception], message: str) -> None:
    now, start, targets = make_batches()
    given = {
        "logits": now,
        "targets": targets,
        "start_logprobs": target_logprobs(start, targets),
    }
    with pytest.raises(error, match=message):
        TailRetention(make_reference()).update(**{**given, **change(given)})
