"""What alerts come to, all of a look together."""

from typing import Any

import pytest

from collapse_guard import Alert, ArgumentError, FailureGuard
from collapse_guard.callbacks.actions import Actions, Decision, check_on_alert, decide


def alert(severity: Any = "warn", reading: str = "perplexity") -> Alert:
    return Alert(f"{reading} above 1", reading, 2.0, 1.0, 0.1, 5, severity, "it is high")


@pytest.mark.parametrize("severities", [(), ("info",), ("info", "warn"), ("critical", "info")])
@pytest.mark.parametrize(
    ("action", "save", "stop"),
    [
        ("log", False, False),
        ("save", True, False),
        ("stop", False, True),
        ("save_and_stop", True, True),
    ],
)
def test_a_word_is_for_every_alert_that_is_more_than_info(
    action: Any, save: bool, stop: bool, severities: tuple[str, ...]
) -> None:
    counts = bool(set(severities) - {"info"})
    expected = Decision(save and counts, stop and counts)
    assert decide(check_on_alert(action), [alert(each) for each in severities]) == expected


def test_a_function_answers_for_each_alert_and_all_answers_count() -> None:
    answers = {"perplexity": "save", "tail_gap": "stop", "tail_prob": None}
    alerts = [alert(reading=reading) for reading in answers]
    assert decide(lambda each: answers[each.reading], alerts) == Decision(save=True, stop=True)
    assert decide(lambda each: answers[each.reading], alerts[:1]) == Decision(True, False)
    assert decide(lambda each: answers[each.reading], alerts[2:]) == Decision(False, False)


def test_a_function_is_not_asked_about_infos() -> None:
    asked: list[Alert] = []
    decide(asked.append, [alert("info"), alert("critical")])
    assert [each.severity for each in asked] == ["critical"]


@pytest.mark.parametrize("answer", ["panic", True, 1])
def test_other_answers_are_refused(answer: Any) -> None:
    with pytest.raises(ArgumentError, match="`on_alert's result` expected one of"):
        decide(lambda each: answer, [alert()])


@pytest.mark.parametrize("on_alert", ["halt", None, 3])
def test_other_words_are_refused(on_alert: Any) -> None:
    with pytest.raises(ArgumentError, match="`on_alert` expected one of"):
        check_on_alert(on_alert)


def test_settings_are_words_that_processes_can_compare() -> None:
    failures = FailureGuard()
    assert Actions("stop", None, None, failures).setting == "stop"
    assert Actions(lambda alert: None, None, None, failures).setting == "a function"
    with pytest.raises(ArgumentError, match="`save` expected a function"):
        Actions("save", None, None, failures)
