"""A reading is a frozen mapping that knows its errors."""

import math

import pytest

from collapse_guard import Reading
from collapse_guard.readings.panel_sums import score_panel
from tests.looks import make_reading, take_baseline
from tests.tiny import tiny_gpt2, tiny_panel


def test_readings_cannot_be_changed() -> None:
    panel = tiny_panel()
    scores = score_panel(tiny_gpt2(), panel)
    reading = make_reading(panel, scores, take_baseline(panel, scores), step=0)
    with pytest.raises(TypeError):
        reading.values_by_name["tail_prob"] = 1.0  # type: ignore[index]
    with pytest.raises(AttributeError):
        reading.step = 4  # type: ignore[misc]


def test_an_interval_is_as_wide_as_its_error_and_a_point_without_one() -> None:
    reading = Reading(8, {"known": 0.5, "unknown": 2.0}, {"known": 0.25, "unknown": math.nan})
    assert reading.interval("known", z=2.0) == (0.0, 1.0)
    assert reading.interval("unknown", z=2.0) == (2.0, 2.0)
    estimate = reading.estimate("known")
    assert (estimate.value, estimate.standard_error, estimate.units) == (0.5, 0.25, math.inf)


def test_what_was_not_read_is_no_key_and_nothing_at_all_is_false() -> None:
    assert not Reading(8, {}, {})
    with pytest.raises(KeyError):
        Reading(8, {"known": 0.5}, {})["unknown"]
