"""Rules against a control run are about what only a control run tells."""

from collapse_guard import default_rules
from collapse_guard.alerts.control_rules import control_rules
from collapse_guard.readings.reading import Reading
from collapse_guard.readings.registry import READINGS
from tests.alerts.test_default_rules import START


def test_each_is_about_a_reading_that_needs_one() -> None:
    assert all(READINGS[rule.reading].needs == "control" for rule in control_rules())
    assert not any(READINGS[rule.reading].needs == "control" for rule in default_rules())


def test_limits_lie_on_the_bad_side_of_a_run_that_is_as_its_control() -> None:
    same = {"tail_retention_vs_control": 1.0, "tail_gap_vs_control": 0.0}
    lost = {"tail_retention_vs_control": 0.8, "tail_gap_vs_control": 0.4}
    for values, broken in ((same, False), (lost, True)):
        reading = Reading(1, values, dict.fromkeys(values, 1e-3), dict.fromkeys(values, 100.0))
        assert all(rule.is_broken(reading, START) == broken for rule in control_rules())
