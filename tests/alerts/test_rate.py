"""A rule's alerts come through as often as was said, and what is held back is told."""

from dataclasses import replace

import pytest

from collapse_guard import Alert, ArgumentError
from collapse_guard.alerts.rate import RateLimit

ALERT = Alert("rule", "tail_gap", 0.3, 0.2, 0.01, 8, "warn", "30% is gone.")


def test_a_rule_is_told_so_often_in_so_long_and_what_was_held_back_is_counted() -> None:
    now = [0.0]
    limit = RateLimit(2, 10.0, clock=lambda: now[0])
    told = []
    for now[0] in (0, 1, 2, 3, 9.9, 10, 10.5, 11):
        told.append(limit.let_through(ALERT))
    held = replace(ALERT, message="30% is gone. 3 before it were held back.")
    after = replace(ALERT, message="30% is gone. 1 before it were held back.")
    assert told == [ALERT, ALERT, None, None, None, held, None, after]


def test_rules_are_counted_each_by_itself() -> None:
    limit = RateLimit(1, 10.0, clock=lambda: 0.0)
    other = replace(ALERT, rule="another")
    assert [limit.let_through(each) for each in (ALERT, other, ALERT)] == [ALERT, other, None]


@pytest.mark.parametrize("given", [{"most": 0}, {"within": 0}, {"within": float("nan")}])
def test_what_cannot_work_is_refused(given: dict[str, float]) -> None:
    with pytest.raises(ArgumentError):
        RateLimit(**given)
