"""How a run went, in words."""

import math

import pytest
import torch

from collapse_guard import CollapseMonitor, EveryNSteps, Threshold
from collapse_guard.callbacks.summary import summary_of
from tests.tiny import BRIEF, VOCAB, perturb, tiny_gpt2, tiny_panel


def looked_at(scale: float, **given: object) -> CollapseMonitor:
    model = tiny_gpt2()
    monitor = CollapseMonitor(
        tiny_panel(), pace=EveryNSteps(1), rules_wait=False, **{"sampling": BRIEF, **given}
    )
    monitor.start(model)
    perturb(model, scale)
    monitor.observe(model, 7)
    return monitor


def test_the_verdict_comes_first_with_its_interval() -> None:
    monitor = looked_at(0.02)
    last = monitor.history[-1]
    kept, *rest = summary_of(monitor)
    low, high = last.interval("tail_retention", z=1.96)
    assert kept.startswith(f"kept {last['tail_retention']:.0%} of the tail (")
    told = kept.partition("(")[2].partition(")")[0].replace("%", "").split(" to ")
    # Student's interval is a little wider than the normal one.
    assert int(told[0]) <= round(100 * low)
    assert int(told[1]) >= round(100 * high)
    assert f"{monitor.baseline.readings['perplexity']:.4g} -> {last['perplexity']:.4g}" in kept
    assert "own text" in rest[0]
    assert rest[1] == "no alarm."
    assert rest[2].startswith("looks took")
    assert len(rest) == 3


def test_without_writing_nothing_is_said_of_it() -> None:
    assert not any("own text" in line for line in summary_of(looked_at(0.0, sampling=None)))


def test_an_alarm_is_told_with_what_to_do() -> None:
    monitor = looked_at(0.0, rules=[Threshold("perplexity", above=0.0)])
    told = " ".join(summary_of(monitor))
    assert "ALARM at step 7: perplexity above 0" in told
    assert monitor.alerts[0].explanation in told


@pytest.mark.parametrize("looks", [0, 1])
def test_where_nothing_can_be_said_that_is_said(looks: int) -> None:
    monitor = CollapseMonitor(tiny_panel(), sampling=None)
    if looks:
        monitor.start(tiny_gpt2())
    (first, *_) = summary_of(monitor)
    assert "nothing" in first


def test_a_run_that_was_lost_says_until_when() -> None:
    assert summary_of(looked_at(0.0), is_watched=False)[0].startswith("watched to step 7 only")


def test_what_the_loss_is_matched_to_is_told_in_no_more_than_five_lines() -> None:
    match = "matched loss: all rows, as drawn with T 0.8."
    told = summary_of(looked_at(0.0), is_watched=False, match=match)
    assert len(told) == 5
    assert "until then: kept" in told[0]
    assert told[2] == match
    nothing = CollapseMonitor(tiny_panel(), sampling=None)
    assert summary_of(nothing, match=match)[1:] == (match,)
    nothing.start(tiny_gpt2())
    assert match in summary_of(nothing, match=match)
    assert match not in summary_of(looked_at(0.0))


def test_a_narrower_text_is_told() -> None:
    model = tiny_gpt2()
    monitor = CollapseMonitor(tiny_panel(), pace=EveryNSteps(1), rules=[], rules_wait=False)
    monitor.start(model)
    with torch.no_grad():
        model.transformer.ln_f.weight.mul_(4.0)
    monitor.observe(model, 1)
    now = monitor.history[-1]["free_distinct_2"]
    assert now < monitor.baseline.readings["free_distinct_2"]
    assert any("less varied" in line and f"{now:.2f}" in line for line in summary_of(monitor))
    assert math.isfinite(now)


class Peeking(torch.nn.Module):
    """Knows no word at first, and then each next one."""

    def __init__(self) -> None:
        super().__init__()
        self.sureness = torch.nn.Parameter(torch.zeros(()))

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        following = torch.cat([input_ids[:, 1:], input_ids[:, :1]], dim=1)
        logits: torch.Tensor = self.sureness * torch.nn.functional.one_hot(following, VOCAB)
        return logits


def test_a_start_that_was_taken_anew_at_the_last_look_is_compared_with_nothing() -> None:
    model = Peeking()
    monitor = CollapseMonitor(tiny_panel(), pace=EveryNSteps(1), sampling=None)
    monitor.start(model)
    with torch.no_grad():
        model.sureness += 5.0
    monitor.observe(model, 7)
    assert not monitor.rules_are_waiting
    told = summary_of(monitor)
    assert told[0] == "nothing to compare: the start is the look at step 7, the last one."
    with torch.no_grad():
        model.sureness -= 1.0
    monitor.observe(model, 8)
    assert summary_of(monitor)[0].startswith("kept ")
