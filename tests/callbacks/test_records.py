"""What is logged of a look."""

import math

import pytest

from collapse_guard import CollapseMonitor, EveryNSteps, Sampling, Threshold
from collapse_guard.callbacks.records import record_keys, record_of
from collapse_guard.readings.reading import Reading
from tests.looks import BANDED, ON_HUMAN_TEXT, PAIRED
from tests.paces import Scripted
from tests.tiny import BRIEF, tiny_gpt2, tiny_panel


def test_a_look_at_everything_has_every_key() -> None:
    sampling = Sampling(num_free=4, num_prompts=2, samples_per_prompt=2, prompt_length=8, length=8)
    rule = Threshold("perplexity", above=0.0, alpha=None)
    monitor = CollapseMonitor(tiny_panel(), rules=[rule], rules_wait=False, sampling=sampling)
    monitor.start(tiny_gpt2())
    look = monitor.look(tiny_gpt2(seed=5), 3)
    record = record_of(look, monitor)
    missing = set(record_keys(monitor)) - set(record)
    assert all(math.isnan(look[name]) for name in missing)
    assert {*ON_HUMAN_TEXT, "alerts", "overhead"} <= set(record) <= set(record_keys(monitor))
    assert {key: record[key] for key in look if key in record} == {
        key: value for key, value in look.items() if not math.isnan(value)
    }
    for name in PAIRED:
        assert record[f"{name}_se"] == look.standard_errors[name]
    assert (record["alerts"], record["overhead"]) == (1, monitor.overhead_spent)
    assert all(type(value) is float for value in record.values())


def test_a_small_look_has_its_own_readings() -> None:
    monitor = CollapseMonitor(tiny_panel(), rules=[], pace=EveryNSteps(1), sampling=BRIEF)
    monitor._run.schedule = Scripted(2)
    monitor.start(tiny_gpt2())
    record = record_of(monitor.observe(tiny_gpt2(seed=5), 1), monitor)
    errors = {f"{name}_se" for name in PAIRED}
    assert set(record) == {*BANDED, *errors, "alerts", "overhead"}


def test_what_is_not_a_number_is_left_out() -> None:
    monitor = CollapseMonitor(tiny_panel(), rules=[], sampling=BRIEF)
    # Before any training there is no share of its time.
    reading = Reading(0, {"perplexity": 3, "tail_gap": math.nan}, {"tail_gap": math.nan})
    assert record_of(reading, monitor) == {"perplexity": 3.0, "alerts": 0.0, "watched": 1.0}


def test_errors_are_of_readings_that_are_taken() -> None:
    some = CollapseMonitor(tiny_panel(), readings=["perplexity", "tail_retention"], sampling=BRIEF)
    keys = record_keys(some)
    told = ("alerts", "overhead", "watched")
    assert keys == ("perplexity", "tail_retention", "tail_retention_se", *told)
    ordinary = CollapseMonitor(tiny_panel(), rules=[], sampling=None)
    assert len(set(record_keys(ordinary))) == len(ON_HUMAN_TEXT) + len(PAIRED) + 3


@pytest.mark.parametrize("name", PAIRED)
def test_what_compares_two_models_has_an_error(name: str) -> None:
    assert f"{name}_se" in record_keys(CollapseMonitor(tiny_panel(), rules=[], sampling=BRIEF))
