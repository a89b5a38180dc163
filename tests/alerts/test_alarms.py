import json
import math
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy import stats

from collapse_guard import ArgumentError
from collapse_guard.alerts.alarms import Alarms
from collapse_guard.alerts.causes import likely_cause
from collapse_guard.alerts.rules import Threshold
from collapse_guard.readings.reading import Reading
from collapse_guard.readings.registry import READINGS
from collapse_guard.statistics.confidence_sequence import spending
from collapse_guard.statistics.estimates import document_mean, exponential
from collapse_guard.statistics.supremum_boundary import SupremumBoundary
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


def test_causes_are_told_after_a_resume_by_what_was_read_before_it() -> None:
    whole, resumed = (Alarms([below()], KINDS) for _ in range(2))
    whole.check(reading(1, tail_retention=0.95, perplexity=30.0), START)
    state = json.loads(json.dumps(whole.state_dict()))
    resumed.load_state_dict(state)
    assert resumed.state_dict() == whole.state_dict() == state
    assert state["last"] == {"tail_retention": 0.95, "perplexity": 30.0}
    # The last release kept none of it.
    old = Alarms([below()], KINDS)
    old.load_state_dict({name: each for name, each in state.items() if name != "last"})
    assert old.state_dict() == {**state, "last": {}}


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


def at_the_limit(looks: int, *, documents: int, seed: list[int]) -> Iterator[Reading]:
    """Looks of a run that stands at a limit of 0.9: its documents differ for good, and wander."""
    random = np.random.default_rng(seed)
    for_good, now = 0.2 * random.standard_normal(documents), np.zeros(documents)
    for look in range(1, looks + 1):
        now = 0.9 * now + 0.05 * random.standard_normal(documents)
        estimate = exponential(document_mean(math.log(0.9) + for_good + now))
        yield Reading.of(look, {"tail_retention": estimate})


@pytest.mark.parametrize("carried", [True, False])
def test_a_chain_of_runs_errs_as_often_as_one(carried: bool) -> None:
    """Five runs at the limit, each of which moves documents its own way, 100 times."""
    rule, chains, looks = Threshold("tail_retention", below=0.9, alpha=0.1), 100, 4
    wrong = 0
    for chain in range(chains):
        spent: dict[str, Any] = {}
        told = []
        for generation in range(5):
            # Few seeds, whose draws are kept: to draw them takes longer than all else.
            alarms = Alarms([rule], KINDS, seed=chain % 4)
            if spent and carried:
                alarms.spend_as(json.loads(json.dumps(spent)))
            for look in at_the_limit(looks, documents=30, seed=[chain, generation]):
                told += alarms.check(look, START)
            spent = alarms.state_dict()
        wrong += bool(told)
    # By its 20th look a chain may have spent 78% of alpha, and a run of its own by its 4th 61%:
    # more, or less, would be seen in one of a thousand such experiments.
    by_then = [sum(spending(0.1, look) for look in range(1, k + 1)) for k in (5 * looks, looks)]
    if carried:
        assert wrong <= stats.binom.ppf(0.999, chains, by_then[0])
    else:
        assert wrong >= stats.binom.ppf(0.001, chains, 1 - (1 - by_then[1]) ** 5)


def test_what_is_spent_is_carried_and_nothing_else() -> None:
    rule, bare = Threshold("tail_retention", below=0.9, alpha=0.1), below(0.95, patience=2)
    first, other = (Alarms([rule, bare], KINDS, seed=3) for _ in range(2))
    looks = list(at_the_limit(6, documents=40, seed=[0]))
    for look in looks:
        first.check(replace(look, values_by_name={"tail_retention": 0.3}), START)
    assert {alert.rule for alert in first.alerts} == {str(rule), str(bare)}
    state = first.state_dict()
    other.spend_as(state)
    assert other.alerts == []
    first.begin_next()
    # A rule that is still broken is told again, since its run is another.
    begun = {"alerts": [], "broken": {str(rule): 0, str(bare): 0}, "last": {}}
    for each in (first, other):
        assert each.state_dict() == {**state, **begun}
    fresh = Alarms([rule], KINDS, seed=3)
    for look in looks:
        fresh.check(look, START)
    fresh.clear()
    assert fresh.state_dict() == Alarms([rule], KINDS, seed=3).state_dict()
    # A rule that was not there has spent nothing.
    new = Alarms([replace(rule, below=0.8)], KINDS, seed=3)
    before = new.state_dict()
    new.spend_as(state)
    assert new.state_dict() == before


@pytest.mark.parametrize(("between", "alarms_after"), [(21.0, 1), (19.0, 2)])
def test_a_rule_that_has_fired_waits_for_a_value_that_is_back(
    between: float, alarms_after: int
) -> None:
    """Unsure is not recovered, and what counts is the limit that the start makes: 20 here."""
    rule = Threshold("perplexity", above=2.0, relative_to_start=True, alpha=0.05)
    start = Reading(0, {"perplexity": 10.0}, {"perplexity": 0.1}, {"perplexity": 50.0})
    alarms = Alarms([rule], KINDS)
    for step, (value, error) in enumerate([(40.0, 0.1), (between, 9.0), (40.0, 0.1)], start=1):
        alarms.check(
            Reading(step, {"perplexity": value}, {"perplexity": error}, {"perplexity": 50.0}), start
        )
    assert len(alarms.alerts) == alarms_after


def spent(rule: Threshold) -> Alarms:
    """Alarms that have spent something, on looks at 20 documents."""
    alarms = Alarms([rule], KINDS)
    for step, look in enumerate(at_the_limit(3, documents=20, seed=[1]), start=1):
        alarms.check(replace(look, step=step), START)
    return alarms


SURE = Threshold("tail_retention", below=0.9, alpha=0.05)


def test_what_was_spent_and_read_comes_back_with_a_state() -> None:
    before = spent(SURE)
    state = json.loads(json.dumps(before.state_dict()))
    assert state["boundaries"][str(SURE)]["looks"] == 3
    # A model that has diverged gives the largest of numbers.
    state["last"] |= {"perplexity": sys.float_info.max, "tail_logprob": -sys.float_info.max}
    resumed = Alarms([SURE], KINDS)
    resumed.load_state_dict(state)
    assert resumed.state_dict() == state


def test_a_state_of_the_last_release_counts_looks_and_has_no_boundaries() -> None:
    state = spent(SURE).state_dict()
    del state["boundaries"]
    for read in (Alarms.load_state_dict, Alarms.spend_as):
        alarms = Alarms([SURE], KINDS)
        read(alarms, state | {"looks": {str(SURE): 3}})
        assert alarms.state_dict()["boundaries"][str(SURE)]["looks"] == 0
        with pytest.raises(ArgumentError, match="`state` expected a mapping with boundaries, but"):
            read(alarms, state)


def test_a_boundary_is_of_a_rule_that_is_counted() -> None:
    state = spent(SURE).state_dict()
    state["boundaries"]["another"] = state["boundaries"][str(SURE)]
    told = (
        r'`state\["boundaries"\]\["another"\]` expected the boundary of one of the rules that are'
    )
    for read in (Alarms.load_state_dict, Alarms.spend_as):
        alarms = Alarms([SURE], KINDS)
        with pytest.raises(ArgumentError, match=f"{told} counted in `broken`, but"):
            read(alarms, state)
        assert alarms.state_dict()["boundaries"][str(SURE)]["looks"] == 0


def test_a_reading_of_ones_own_is_held_on_its_own_scale_and_told_by_its_own_meaning() -> None:
    mine = replace(READINGS["perplexity"], name="mine", meaning="what I mean")
    assert mine.on_log_scale
    fired = {}
    for name in ("perplexity", "mine"):
        alarms = Alarms([Threshold(name, above=20.0, alpha=0.05)], [*KINDS, mine])
        for step, value in enumerate(range(20, 200, 5), start=1):
            look = Reading(step, {name: value}, {name: 0.3 * value}, {name: 50.0})
            if alarms.check(look, Reading(0, {name: 10.0}, {})):
                break
        (fired[name],) = alarms.alerts
    # Not on its own scale, on which no value is past 1 / 0.3 standard errors.
    assert fired["mine"].step == fired["perplexity"].step
    assert "what I mean" in fired["mine"].message
    assert "what I mean" not in fired["perplexity"].message


def test_an_alert_says_what_the_likely_cause_is() -> None:
    look = reading(1, perplexity=30.0, tail_retention=0.5)
    (alert,) = Alarms([below()], KINDS).check(look, START)
    cause = likely_cause(dict(look), START)
    assert (alert.cause, alert.explanation) == (cause.name, str(cause))


def test_a_rule_whose_reading_was_not_had_holds_up_no_other() -> None:
    alarms = Alarms([Threshold("perplexity", above=20.0, alpha=None), below()], KINDS)
    look = reading(1, tail_retention=0.5, perplexity=math.nan)
    assert [alert.reading for alert in alarms.check(look, START)] == ["tail_retention"]


def test_rules_are_held_by_the_draws_of_their_seed() -> None:
    look = next(at_the_limit(1, documents=20, seed=[1]))
    crossed = []
    for seed in (0, 5):
        alarms = Alarms([SURE], KINDS, seed=seed)
        alarms.check(look, START)
        boundary = SupremumBoundary(0.05, seed=seed)
        boundary.next(SURE.past(look, START))
        state = alarms.state_dict()["boundaries"][str(SURE)]
        assert state == boundary.state_dict()
        crossed.append(state["crossed"])
    assert crossed[0] != crossed[1]
