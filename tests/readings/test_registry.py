"""The table of readings is whole, and says of each what it is."""

import math

import pytest

from collapse_guard import CollapseMonitor, Sampling
from collapse_guard.readings.registry import READINGS, reading_names
from tests.looks import ON_HUMAN_TEXT
from tests.tiny import tiny_gpt2, tiny_panel

SAMPLING = Sampling(num_free=4, num_prompts=3, samples_per_prompt=2, prompt_length=4, length=8)


def test_every_reading_has_a_description() -> None:
    monitor = CollapseMonitor(tiny_panel(), sampling=None)
    assert set(monitor.start(tiny_gpt2())) == set(ON_HUMAN_TEXT)


@pytest.mark.parametrize("name", READINGS)
def test_each_is_told_in_a_noun_phrase_of_one_line(name: str) -> None:
    kind = READINGS[name]
    assert kind.name == name
    assert "\n" not in kind.meaning
    assert not kind.meaning.endswith(".")
    # Only what is told against a start has an error of a pair to log.
    assert kind.start != "none" or not kind.logs_error


def test_starts_stand_where_the_table_says() -> None:
    start = CollapseMonitor(tiny_panel(), sampling=SAMPLING).start(tiny_gpt2())
    holds = {
        "above 0": lambda value: value > 0,
        "below 0": lambda value: value < 0,
        "at 0": lambda value: value == 0,
    }
    for name, value in start.items():
        # A text so short may have no tail token, and then a share of none.
        if not name.endswith("tail_share"):
            assert math.isfinite(value), name
            assert holds[READINGS[name].start](value), name


def test_names_are_listed_by_what_they_need_and_cost() -> None:
    needs = (None, "against_base", "control", "prequential", "sampling")
    assert sorted(name for need in needs for name in reading_names(needs=need)) == sorted(READINGS)
    costs = ("each look", "whole panel")
    assert sorted(n for cost in costs for n in reading_names(cost=cost)) == sorted(ON_HUMAN_TEXT)
