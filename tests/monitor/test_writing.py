"""A model is let write a little where nobody says otherwise, and let alone where it cannot."""

import logging
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from collapse_guard import (
    ArgumentError,
    CollapseGuardError,
    CollapseMonitor,
    EveryNSteps,
    HeldOutPanel,
    Sampling,
    Threshold,
)
from collapse_guard.errors import CalledOffError
from collapse_guard.monitor.stopwatch import Stopwatch
from collapse_guard.readings.registry import READINGS
from collapse_guard.readings.sampling import A_LITTLE, draw_samples
from tests.model.test_causality import Counting
from tests.tiny import VOCAB, tiny_gpt2, tiny_panel, tiny_reference, zipf_documents

WRITTEN = {kind.name for kind in READINGS.values() if kind.needs == "sampling"}
RULES = {"free_distinct_2", "free_rep_n_diversity"}


WINDOW = 32
FEW = Sampling(num_free=4, num_prompts=2, samples_per_prompt=2, prompt_length=4, length=8)


class Speechless(torch.nn.Module):
    """A model that reads rows of one length alone, as an exported graph does."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = tiny_gpt2()

    def forward(self, input_ids: torch.Tensor) -> Any:
        if input_ids.shape[1] != WINDOW:
            raise ValueError(f"rows of {WINDOW} tokens alone")
        return self.inner(input_ids=input_ids)


def warned(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        each.getMessage() for each in caplog.records if "cannot write here" in each.getMessage()
    ]


def test_a_little_is_written_by_default_and_nothing_where_it_is_turned_off() -> None:
    usual, silent = CollapseMonitor(tiny_panel()), CollapseMonitor(tiny_panel(), sampling=None)
    assert set(usual.start(tiny_gpt2())) >= WRITTEN
    assert set(silent.start(tiny_gpt2())).isdisjoint(WRITTEN)
    assert {rule.reading for rule in usual.rules} - {rule.reading for rule in silent.rules} == RULES


def test_the_rules_on_what_is_written_see_a_model_that_repeats_itself() -> None:
    model = tiny_gpt2()
    monitor = CollapseMonitor(tiny_panel(), pace=EveryNSteps(1), rules_wait=False)
    monitor.start(model)
    # The same few tokens, whatever came before.
    model.lm_head = torch.nn.Linear(32, VOCAB)
    with torch.no_grad():
        model.lm_head.weight.zero_()
        model.lm_head.bias.copy_(10.0 * (torch.arange(VOCAB) < 3))
    assert {alert.reading for alert in monitor.observe(model, 1).alerts} >= RULES


def test_what_is_written_is_timed_and_told(caplog: pytest.LogCaptureFixture) -> None:
    monitor = CollapseMonitor(tiny_panel(), pace=EveryNSteps(1))
    with caplog.at_level(logging.INFO, "collapse_guard"):
        monitor.start(tiny_gpt2())
        monitor.observe(tiny_gpt2(), 1)
    told = [each.getMessage() for each in caplog.records if "wrote for" in each.getMessage()]
    assert len(told) == 1
    assert "sampling=None" in told[0]
    assert 0 < monitor.writing_spent < monitor.overhead_spent
    clock = Stopwatch()
    clock.load_state_dict(monitor.timing_state()["stopwatch"])
    assert clock.written == pytest.approx(monitor.writing_spent * clock.trained)
    clock.restart()
    assert clock.written == 0
    silent = CollapseMonitor(tiny_panel(), sampling=None, pace=EveryNSteps(1))
    silent.start(tiny_gpt2())
    silent.observe(tiny_gpt2(), 1)
    assert silent.writing_spent == 0


def test_a_model_that_cannot_write_is_told_once_and_read_without(
    caplog: pytest.LogCaptureFixture,
) -> None:
    monitor = CollapseMonitor(tiny_panel(), pace=EveryNSteps(1))
    model = Speechless()
    start = monitor.start(model)
    for step in (1, 2):
        assert set(monitor.observe(model, step)) == set(start)
    assert set(start).isdisjoint(WRITTEN)
    assert start["perplexity"] > 0
    assert len(warned(caplog)) == 1
    assert "rows of 32 tokens alone" in warned(caplog)[0]
    assert WRITTEN.isdisjoint(monitor.reading_names)
    assert {each.reading for each in monitor.sight} > {"tail_retention"}


def test_each_run_is_asked_anew() -> None:
    monitor = CollapseMonitor(tiny_panel())
    monitor.start(Speechless())
    assert set(monitor.start(tiny_gpt2())) >= WRITTEN


def test_a_model_that_must_write_and_cannot_is_an_error() -> None:
    monitor = CollapseMonitor(tiny_panel(), sampling=replace(A_LITTLE, required=True))
    with pytest.raises(ValueError, match="rows of 32 tokens alone"):
        monitor.start(Speechless())
    nothing_else = CollapseMonitor(tiny_panel(), readings=["free_distinct_2"], rules=[])
    with pytest.raises(CollapseGuardError, match="it does not write") as caught:
        nothing_else.start(Speechless())
    assert "rows of 32 tokens alone" in str(caught.value.__context__)


def test_one_that_can_no_longer_write_is_read_without(caplog: pytest.LogCaptureFixture) -> None:
    model = tiny_gpt2()
    monitor = CollapseMonitor(
        tiny_panel(), pace=EveryNSteps(1), rules=[Threshold("free_distinct_2", below=0.5)]
    )
    monitor.start(model)
    model.config.bos_token_id = model.config.eos_token_id = None
    model.generation_config = None
    look = monitor.observe(model, 1)
    assert set(look).isdisjoint(WRITTEN)
    assert not look.alerts
    assert len(warned(caplog)) == 1


@pytest.mark.parametrize(("positions", "length", "prompt"), [(20, 10, 10), (32, 16, 16)])
def test_texts_fit_the_model(positions: int, length: int, prompt: int) -> None:
    model = tiny_gpt2(positions=positions)
    panel = tiny_panel(window=16)
    fitted = replace(A_LITTLE, required=True, length=length, prompt_length=prompt)
    samples, expected = (draw_samples(model, panel, each) for each in (A_LITTLE, fitted))
    assert np.array_equal(samples.prompted, expected.prompted)
    assert np.array_equal(samples.free, expected.free)
    with pytest.raises(ArgumentError, match="positions"):
        draw_samples(model, panel, replace(A_LITTLE, required=True, length=64))


def test_prompts_fit_the_panel() -> None:
    texts = zipf_documents(5, length=12, seed=2)
    panel = HeldOutPanel.from_token_ids(texts, tiny_reference(), window=12)
    samples = draw_samples(tiny_gpt2(), panel, A_LITTLE)
    assert samples.prompted.shape == (5, 4, 32)
    assert samples.free.shape == (32, 32)


def test_positions_that_leave_no_room_for_a_text_are_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    start = CollapseMonitor(tiny_panel(window=8)).start(tiny_gpt2(positions=9))
    assert set(start).isdisjoint(WRITTEN)
    assert "`length` expected a whole number from 8" in warned(caplog)[0]


def test_a_start_without_written_text_is_gone_on_from_without() -> None:
    model = tiny_gpt2()
    before = CollapseMonitor(tiny_panel(), sampling=None, pace=EveryNSteps(1))
    before.start(model)
    resumed = CollapseMonitor(tiny_panel(), pace=EveryNSteps(1))
    resumed.load_state_dict(before.state_dict())
    followed = CollapseMonitor(tiny_panel(), pace=EveryNSteps(1), baseline=before.baseline)
    chained = CollapseMonitor(tiny_panel(), pace=EveryNSteps(1), continues=before)
    for monitor in (resumed, followed, chained):
        assert dict(monitor.observe(model, 1)) == dict(before.look(model, 1))
    with pytest.raises(ArgumentError, match=r"`baseline` .* without free_tail_share"):
        CollapseMonitor(tiny_panel(), sampling=FEW, baseline=before.baseline)
    with pytest.raises(ArgumentError, match=r"`continues` .* without free_tail_share"):
        CollapseMonitor(tiny_panel(), sampling=FEW, continues=before)


def test_starts_with_another_amount_of_text_are_not_compared_with() -> None:
    model = tiny_gpt2()
    before = CollapseMonitor(tiny_panel(), sampling=FEW)
    before.start(model)
    usual = CollapseMonitor(tiny_panel(), baseline=before.baseline, pace=EveryNSteps(1))
    assert set(usual.observe(model, 1)).isdisjoint(WRITTEN)
    with pytest.raises(ArgumentError, match="`baseline` expected the start of a monitor with"):
        CollapseMonitor(tiny_panel(), sampling=replace(FEW, length=9), baseline=before.baseline)
    assert before.baseline is not None
    # How many are drawn at once, and what becomes of a model that cannot, makes no difference.
    same = replace(FEW, batch_size=3, required=False)
    alike = CollapseMonitor(tiny_panel(), sampling=same, baseline=before.baseline)
    assert set(alike.look(model, 1)) >= WRITTEN
    # The last release's starts do not say how much was written.
    unsaid = replace(before.baseline, sampling=None)
    CollapseMonitor(tiny_panel(), sampling=FEW, baseline=unsaid)


@pytest.mark.parametrize(("batch_size", "most"), [(1, 1), (3, 3), (64, 36)])
def test_no_more_is_written_at_once_than_is_read(batch_size: int, most: int) -> None:
    model = Counting(tiny_gpt2())
    monitor = CollapseMonitor(tiny_panel(), batch_size=batch_size)
    assert set(monitor.start(model)) >= WRITTEN
    # The trial whether it is causal reads a few rows of its own.
    assert max({rows for rows, _ in model.rows} - {5}) <= most


def test_a_look_that_was_called_off_is_no_model_that_cannot_write(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monitor = CollapseMonitor(tiny_panel(), pace=EveryNSteps(1))

    def leave(*_: Any) -> None:
        raise CalledOffError("process 1 has left")

    with monkeypatch.context() as patched:
        patched.setattr("collapse_guard.monitor.writing.draw_samples", leave)
        with pytest.raises(CalledOffError, match="process 1 has left"):
            monitor.start(tiny_gpt2())
    assert warned(caplog) == []
    # It is still let write.
    assert set(monitor.start(tiny_gpt2())) >= WRITTEN


def test_the_first_process_alone_tells_that_a_model_cannot_write(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("collapse_guard.monitor.writing.is_first_process", lambda: False)
    assert set(CollapseMonitor(tiny_panel()).start(Speechless())).isdisjoint(WRITTEN)
    assert warned(caplog) == []
