import json
import logging
import math

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from collapse_guard import (
    ArgumentError,
    CollapseMonitor,
    EveryNSteps,
    HumanReference,
    MixGuard,
    Threshold,
    token_logprobs,
)
from collapse_guard.readings.prequential import PrequentialReader
from tests.looks import PREQUENTIAL
from tests.tiny import BRIEF, VOCAB, perturb, tiny_gpt2, tiny_panel, tiny_reference, zipf_documents

BATCH = 8


def mixed(**arguments) -> MixGuard:
    human = [{"input_ids": ids} for ids in zipf_documents(40, length=24, seed=5)]
    synthetic = [{"input_ids": ids} for ids in zipf_documents(40, length=24, seed=6)]
    given = {"human_fraction": 0.5, "block_size": BATCH, **arguments}
    return MixGuard(human, synthetic, **given)


def loader(mix: MixGuard) -> DataLoader:
    return DataLoader(
        mix, BATCH, collate_fn=lambda rows: torch.tensor([row["input_ids"] for row in rows])
    )


def train(model, mix, *, lr: float = 0.05, batches: int | None = None, then=print) -> None:
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    for step, ids in enumerate(loader(mix), start=1):
        model(input_ids=ids, labels=ids).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        then(step)
        if step == batches:
            break


def test_it_reads_what_the_model_gave_human_rows_before_it_learned_them() -> None:
    mix, reference = mixed(length=160), tiny_reference()
    reader = PrequentialReader(mix, reference, memory=10**9, max_rows=BATCH)
    model, expected, bands = tiny_gpt2(), [], []
    end = reader.watch(model, batch_size=BATCH)
    seen: set[int] = set()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    for step, ids in enumerate(loader(mix)):
        located = mix.locate(range(step * BATCH, (step + 1) * BATCH))
        for at in np.flatnonzero(located.is_human):
            if int(located.row[at]) in seen:
                continue
            seen.add(int(located.row[at]))
            everywhere = torch.ones(1, 24, dtype=torch.bool)
            everywhere[0, 0] = False
            # A pass of its own, before the update, on a model without dropout.
            expected.append(token_logprobs(model, ids[at : at + 1], everywhere).numpy())
            bands.append(reference.tail_types[ids[at, 1:].numpy()])
        model.train()
        model(input_ids=ids, labels=ids).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    end()
    logprobs, tail = np.concatenate(expected), np.concatenate(bands)
    estimates = reader.estimates()
    assert len(seen) == 40
    assert estimates["perplexity_prequential"].value == pytest.approx(
        math.exp(-logprobs.mean()), rel=1e-4
    )
    assert estimates["tail_logprob_prequential"].value == pytest.approx(
        logprobs[tail].mean(), rel=1e-4
    )
    assert estimates["tail_prob_prequential"].value == pytest.approx(
        np.exp(logprobs[tail]).mean(), rel=1e-3
    )
    assert estimates["tail_logprob_prequential"].units == pytest.approx(40)


def test_retention_is_told_against_the_first_rows() -> None:
    mix = mixed()
    reader = PrequentialReader(mix, tiny_reference(), memory=4, start_rows=12)
    model = tiny_gpt2()
    reader.watch(model, batch_size=BATCH)
    readings = []

    def look(step: int) -> None:
        readings.append(reader.estimates()["tail_retention_prequential"].value)
        if step == 5:
            perturb(model, 0.3)

    train(model, mix, lr=1e-4, then=look)
    assert math.isnan(readings[0])
    assert readings[3] == pytest.approx(1.0, abs=0.4)
    assert readings[-1] < readings[3] - 0.2


def test_training_is_the_same_with_and_without() -> None:
    def run(watched: bool) -> dict[str, torch.Tensor]:
        with torch.random.fork_rng():
            torch.manual_seed(3)
            model, mix = tiny_gpt2(dropout=0.1), mixed()
            if watched:
                PrequentialReader(mix, tiny_reference()).watch(model, batch_size=BATCH)
            train(model, mix)
            return {**model.state_dict(), "rng": torch.get_rng_state()}

    with_reader, without = run(True), run(False)
    assert all(torch.equal(value, with_reader[name]) for name, value in without.items())


def test_evaluation_and_looks_are_no_training_passes() -> None:
    mix = mixed()
    reader = PrequentialReader(mix, tiny_reference())
    model = tiny_gpt2()
    reader.watch(model, batch_size=BATCH)
    ids = torch.tensor(zipf_documents(4, length=24, seed=9))
    model.eval()(input_ids=ids)
    with torch.no_grad():
        model.train()(input_ids=ids)
    CollapseMonitor(tiny_panel(), sampling=BRIEF).start(model)
    assert math.isnan(reader.estimates()["perplexity_prequential"].value)


@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_reads_its_own_share_from_where_it_resumes(rank: int) -> None:
    mix, read = mixed(), []
    reader = PrequentialReader(mix, tiny_reference(), max_rows=BATCH)
    model = tiny_gpt2().train()
    reader.watch(model, batch_size=BATCH // 2, passes=3, rank=rank, num_processes=2)
    first = (3 * 2 + rank) * BATCH // 2
    slots = range(first, first + BATCH // 2)
    ids = torch.tensor([mix[slot]["input_ids"] for slot in slots])
    model(input_ids=ids)
    read = reader.estimates()["perplexity_prequential"]
    located = mix.locate(slots)
    assert read.units == pytest.approx((located.is_human & located.is_first).sum(), rel=0.01)


def test_rows_in_another_order_are_not_read(caplog: pytest.LogCaptureFixture) -> None:
    mix, model = mixed(), tiny_gpt2().train()
    reader = PrequentialReader(mix, tiny_reference())
    reader.watch(model, batch_size=BATCH)
    ids = torch.tensor([mix[slot]["input_ids"] for slot in range(BATCH, 2 * BATCH)])
    with caplog.at_level(logging.ERROR, "collapse_guard"):
        model(input_ids=ids)
        model(input_ids=ids)
    assert caplog.text.count("is not the one that the mixed stream shows in slot 0") == 1
    assert math.isnan(reader.estimates()["perplexity_prequential"].value)


@pytest.mark.parametrize("told_by", ["mask", "reference"])
def test_padding_does_not_count(told_by: str) -> None:
    mix, reference = mixed(human_fraction=1.0), tiny_reference()
    if told_by == "reference":
        counts = reference.counts.copy()
        counts[VOCAB - 1] = 0
        reference = HumanReference(counts, special_ids=(VOCAB - 1,))
    rows = [mix[slot]["input_ids"] for slot in range(BATCH)]
    plain, padded = (PrequentialReader(mix, reference) for _ in range(2))
    model = tiny_gpt2().train()
    end = plain.watch(model, batch_size=BATCH)
    model(input_ids=torch.tensor(rows))
    end()
    padded.watch(model, batch_size=BATCH)
    ids = torch.tensor([row + [VOCAB - 1] * 8 for row in rows])
    mask = torch.ones_like(ids)
    mask[:, 24:] = int(told_by == "reference")
    model(input_ids=ids, attention_mask=mask)
    for name in PREQUENTIAL:
        if "retention" not in name and "gap" not in name:
            assert padded.estimates()[name].value == pytest.approx(
                plain.estimates()[name].value, rel=1e-4
            )


def test_the_monitor_tells_them_beside_the_panels() -> None:
    mix, model = mixed(), tiny_gpt2()
    rule = Threshold("perplexity_prequential", above=0.5, alpha=None)
    monitor = CollapseMonitor(
        tiny_panel(),
        rules=[rule],
        rules_wait=False,
        pace=EveryNSteps(2),
        prequential=PrequentialReader(mix, tiny_reference()),
        sampling=BRIEF,
    )
    start = monitor.start(model)
    assert math.isnan(start["tail_logprob_prequential"])
    monitor.prequential.watch(model, batch_size=BATCH)
    train(model, mix, batches=2, then=lambda step: monitor.observe(model, step))
    assert set(PREQUENTIAL) < set(monitor.history[-1])
    assert [alert.reading for alert in monitor.alerts] == ["perplexity_prequential"]
    again = CollapseMonitor(
        tiny_panel(), prequential=PrequentialReader(mix, tiny_reference()), sampling=BRIEF
    )
    again.load_state_dict(json.loads(json.dumps(monitor.state_dict())))
    expected, read = monitor.prequential.estimates(), again.prequential.estimates()
    assert read["tail_logprob_prequential"][:2] == expected["tail_logprob_prequential"][:2]


def test_bad_arguments() -> None:
    with pytest.raises(ArgumentError, match="`memory` expected at least 1"):
        PrequentialReader(mixed(), tiny_reference(), memory=0)
    with pytest.raises(ArgumentError, match="`relative_to_start`"):
        Threshold("tail_logprob_prequential", below=1.0, relative_to_start=True)


def read_some(**arguments) -> tuple[PrequentialReader, dict]:
    """A reader that has read two passes, and its state as a file holds it."""
    mix = mixed()
    reader = PrequentialReader(mix, tiny_reference(), **arguments)
    model = tiny_gpt2()
    end = reader.watch(model, batch_size=BATCH)
    train(model, mix, batches=2, then=lambda step: None)
    end()
    return reader, json.loads(json.dumps(reader.state_dict()))


def test_a_state_of_the_last_release_has_no_blocks_and_goes_on() -> None:
    reader, state = read_some(start_rows=4)
    blocks = {name: state.pop(name) for name in ("now_blocks", "start_blocks")}
    older = PrequentialReader(mixed(), tiny_reference(), start_rows=4)
    older.load_state_dict(state)
    for name, expected in reader.estimates().items():
        found = older.estimates()[name]
        assert found[:2] == pytest.approx(expected[:2], nan_ok=True)
        assert not found.influences.any()
        assert expected.influences.any() or math.isnan(expected.value)
    # Both or neither: one alone is no release's.
    with pytest.raises(ArgumentError, match="now_blocks"):
        older.load_state_dict({**state, "start_blocks": blocks["start_blocks"]})


def test_what_was_read_before_is_added_up_on_one_process_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, state = read_some(start_rows=100)
    missing = state["start_missing"]
    assert 0 < missing < 100
    monkeypatch.setattr("collapse_guard.readings.prequential.is_first_process", lambda: False)
    second = PrequentialReader(mixed(), tiny_reference(), start_rows=100)
    second.load_state_dict(state)
    # It knows how many rows of the start are missing, and adds nothing to the first one's sums.
    assert second.state_dict()["start_missing"] == missing
    assert math.isnan(second.estimates()["perplexity_prequential"].value)


def test_a_second_pass_over_the_stream_shows_nothing_new(caplog: pytest.LogCaptureFixture) -> None:
    mix, model = mixed(), tiny_gpt2().train()
    reader = PrequentialReader(mix, tiny_reference())
    reader.watch(model, batch_size=BATCH, passes=len(mix) // BATCH)
    # Rows that stand in no slot of the plan are not held against it.
    model(input_ids=torch.tensor(zipf_documents(BATCH, length=24, seed=9)))
    assert math.isnan(reader.estimates()["perplexity_prequential"].value)
    assert not caplog.records


def test_what_waits_to_be_added_up_does_not_grow_with_the_run() -> None:
    human = [{"input_ids": ids} for ids in zipf_documents(150, length=8, seed=5)]
    mix, model = MixGuard(human, human, human_fraction=1.0, block_size=1), tiny_gpt2().train()
    reader = PrequentialReader(mix, tiny_reference(), memory=10**9)
    reader.watch(model, batch_size=1)
    waiting = []
    for slot in range(150):
        model(input_ids=torch.tensor([mix[slot]["input_ids"]]))
        waiting.append(len(reader._pending))
    assert max(waiting) < 64
    assert reader.estimates()["tail_logprob_prequential"].units == pytest.approx(150, rel=1e-3)


def test_a_pass_without_logits_for_every_token_is_told_and_not_read(
    caplog: pytest.LogCaptureFixture,
) -> None:
    mix, model = mixed(human_fraction=1.0), tiny_gpt2().train()
    reader = PrequentialReader(mix, tiny_reference())
    reader.watch(model, batch_size=BATCH)
    ids = torch.tensor([mix[slot]["input_ids"] for slot in range(BATCH)])
    with caplog.at_level(logging.ERROR, "collapse_guard"):
        model(input_ids=ids, logits_to_keep=1)
    shapes = f"({BATCH}, 1, {VOCAB}) for input of shape ({BATCH}, 24)"
    assert f"returned logits of shape {shapes}" in caplog.text
    assert math.isnan(reader.estimates()["perplexity_prequential"].value)


def test_what_is_no_mix_cannot_be_read_along_with() -> None:
    for given in ([{"input_ids": [1, 2]}], MixGuard):
        with pytest.raises(ArgumentError, match="`mix` expected a MixGuard"):
            PrequentialReader(given, tiny_reference())
