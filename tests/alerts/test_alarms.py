import json
import math

import pytest
from hypothesis import given, strategies as st

from collapse_guard import ArgumentError
from collapse_guard.alerts.alarms import Alarms
from collapse_guard.alerts.rules import Threshold
from collapse_guard.readings.reading import Reading
from tests.looks import KINDS

START = Reading(0, {"tail_retention": 1.0, "perplexity": 10.0}, {})


def reading(step: int, **values: float) -> Reading:
    return Reading(step, values, dict.fromkeys(values, 0.0))


def below(limit: float = 0.9, *, patience: int = 1) -> Threshold:
    return Threshold("tail_retention", below=limit, patience=patience, alpha=None)


@given(values=st.lists(st.floats(0.5, 1.5), max_size=40), patience=st.integers(1, 4))
def test_a_rule_fires_once_in_each_spell_that_is_long_enough(
    values: list[float], patience: int
) -> None:
    alarms = Alarms([below(patience=patience)], KINDS)
    fired = [
        bool(alarms.check(reading(step, tail_retention=value), START))
        for step, value in enumerate(values)
    ]
    spell = 0
    for step, value in enumerate(values):
        spell = spell + 1 if value < 0.9 else 0
        assert fired[step] == (spell == patience)
    assert [alert.step for alert in alarms.alerts] == [s for s, each in enumerate(fired) if each]


def test_rules_are_counted_apart_and_what_was_not_read_leaves_its_rule_alone() -> None:
    rules = [below(patience=2), Threshold("perplexity", above=20.0, patience=2, alpha=None)]
    alarms = Alarms(rules, KINDS)
    assert alarms.check(reading(1, tail_retention=0.5, perplexity=30.0), START) == []
    # A look at a part of the panel reads no perplexity: that is neither a break nor a rest.
    (tail,) = alarms.check(reading(2, tail_retention=0.5), START)
    (perplexity,) = alarms.check(reading(3, tail_retention=1.0, perplexity=30.0), START)
    assert (tail.reading, tail.step) == ("tail_retention", 2)
    assert (perplexity.reading, perplexity.step) == ("perplexity", 3)
    assert alarms.alerts == [tail, perplexity]


def test_a_number_that_is_none_breaks_nothing() -> None:
    alarms = Alarms([below()], KINDS)
    assert alarms.check(reading(1, tail_retention=math.nan), START) == []


def test_a_guarantee_grows_stricter_with_each_look_at_its_rule() -> None:
    rule = Threshold("tail_retention", below=0.9, alpha=0.01)

    def first_alarm(skipped: int) -> int:
        """The step of the alarm, the rule's reading not being taken at first."""
        alarms = Alarms([rule], KINDS)
        for step in range(1, skipped + 1):
            alarms.check(reading(step, perplexity=1.0), START)
        for step in range(skipped + 1, skipped + 40):
            value = 0.9 - 0.002 * (step - skipped)
            look = Reading(
                step, {"tail_retention": value}, {"tail_retention": 0.005}, {"tail_retention": 50.0}
            )
            if alarms.check(look, START):
                return step - skipped
        return 0

    # Looks that did not take the reading use up none of the guarantee.
    assert first_alarm(0) == first_alarm(1_000) > 1


def test_state_goes_on_after_json() -> None:
    rules = [below(patience=3), below(0.5)]
    whole = Alarms(rules, KINDS)
    for step, value in enumerate([0.4, 0.8], start=1):
        whole.check(reading(step, tail_retention=value), START)
    state = json.loads(json.dumps(whole.state_dict()))
    resumed = Alarms(rules, KINDS)
    resumed.load_state_dict(state)
    assert resumed.alerts == whole.alerts != []
    third = reading(3, tail_retention=0.8)
    assert resumed.check(third, START) == whole.check(third, START) != []
    assert resumed.state_dict() == whole.state_dict()
    # A rule that the state does not know starts afresh, one that is gone is forgotten.
    changed = Alarms([below(0.5), below(0.7, patience=2)], KINDS)
    changed.load_state_dict(state)
    assert changed.check(reading(3, tail_retention=0.6), START) == []
    assert len(changed.check(reading(4, tail_retention=0.6), START)) == 1
    assert len(changed.alerts) == 2


def test_a_new_run_forgets() -> None:
    alarms = Alarms([below(patience=2)], KINDS)
    alarms.check(reading(1, tail_retention=0.5), START)
    alarms.clear()
    assert alarms.check(reading(1, tail_retention=0.5), START) == []
    assert alarms.alerts == []


def test_rules_that_cannot_be_held_are_refused() -> None:
    with pytest.raises(ArgumentError, match="differ in reading, direction or limit"):
        Alarms([below(), below(patience=3)], KINDS)
    with pytest.raises(ArgumentError, match=r"give sampling=Sampling\(\)"):
        Alarms([Threshold("free_distinct_2", below=0.5)], KINDS)
    with pytest.raises(ArgumentError, match=r"choose from perplexity, .*readings=\[\.\.\., mine\]"):
        Alarms([Threshold("loss", above=9.0)], KINDS)
