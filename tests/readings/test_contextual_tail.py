import json
import math

import numpy as np
import pytest

from collapse_guard import ArgumentError, CollapseMonitor, PanelError
from collapse_guard.readings.at_positions import retention
from collapse_guard.readings.contextual_tail import (
    contextual_reading,
    contextual_retention,
    contextual_tail,
)
from collapse_guard.readings.panel_logprobs import panel_logprobs
from tests.tiny import BRIEF, perturb, tiny_gpt2, tiny_panel


def test_the_mask_is_a_loop_over_positions() -> None:
    panel = tiny_panel()
    start = panel_logprobs(tiny_gpt2(), panel)
    tail = contextual_tail(start, panel, below=0.01)
    probabilities = iter(np.exp(start).tolist())
    for window in range(len(panel)):
        for column in range(panel.input_ids.shape[1]):
            looked_at = bool(panel.positions[window, column])
            assert bool(tail[window, column]) == (looked_at and next(probabilities) < 0.01)
    assert 0 < int(tail.sum()) < len(start)
    everything = contextual_tail(start, panel, below=1.0)
    assert everything.equal(panel.positions)


def test_retention_is_that_of_its_positions() -> None:
    panel = tiny_panel()
    model = tiny_gpt2()
    start = panel_logprobs(model, panel)
    perturb(model, 0.02)
    now = panel_logprobs(model, panel)
    kept = contextual_retention(now, start, panel, below=0.01)
    assert kept[:2] == retention(now, start, panel, contextual_tail(start, panel, below=0.01))[:2]
    assert contextual_retention(start, start, panel, below=0.01)[:2] == (1.0, 0.0)


def test_choice_by_the_start_itself_reads_above_one() -> None:
    """Two equally noisy views of one truth: the docstring's warning, in numbers."""
    panel = tiny_panel()
    generator = np.random.default_rng(0)
    truth = np.log(generator.uniform(0.005, 0.05, size=int(panel.positions.sum())))
    start, now = np.minimum(truth + generator.normal(0, 0.5, (2, len(truth))), 0.0)
    kept = contextual_retention(now, start, panel, below=0.01)
    assert kept.value - 4 * kept.standard_error > 1
    fair = retention(now, start, panel, panel.positions)
    assert abs(fair.value - 1) < 4 * fair.standard_error


def test_bad_input() -> None:
    panel = tiny_panel()
    start = np.full(int(panel.positions.sum()), math.log(0.1))
    for below in (0.0, 1.1, math.nan):
        with pytest.raises(ArgumentError, match="`below`"):
            contextual_tail(start, panel, below=below)
    with pytest.raises(ArgumentError, match="`start_logprobs`"):
        contextual_tail(start[1:], panel, below=0.5)
    with pytest.raises(PanelError, match=r"below 0.05 under the starting model \(the least is 0.1"):
        contextual_tail(start, panel, below=0.05)


def test_it_can_be_watched_and_resumed() -> None:
    panel, model = tiny_panel(), tiny_gpt2()
    monitor = CollapseMonitor(panel, readings=[contextual_reading(below=0.05)], sampling=BRIEF)
    monitor.start(model)
    start = panel_logprobs(model, panel)
    perturb(model, 0.1)
    expected = contextual_retention(panel_logprobs(model, panel), start, panel, below=0.05)
    resumed = CollapseMonitor(panel, readings=[contextual_reading(below=0.05)], sampling=BRIEF)
    resumed.load_state_dict(json.loads(json.dumps(monitor.state_dict())))
    for each in (monitor, resumed):
        look = each.look(model, 1)
        assert look["contextual_tail_retention"] == pytest.approx(expected.value, rel=1e-5)
        error = look.standard_errors["contextual_tail_retention"]
        assert error == pytest.approx(expected.standard_error, rel=1e-4)
    with pytest.raises(ArgumentError, match="`below`"):
        contextual_reading(below=0.0)
