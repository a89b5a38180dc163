"""Failures are contained, and told once."""

import logging

import pytest

from collapse_guard import ArgumentError
from collapse_guard.failures import FailureGuard


def test_each_kind_of_failure_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    failures = FailureGuard("report")
    with caplog.at_level(logging.INFO, "collapse_guard"):
        for error in (ValueError("a"), ValueError("b"), KeyError("c")):
            with failures.contained("looking"):
                raise error
        with failures.contained("mailing"):
            raise ValueError("d")
    assert [record.levelname for record in caplog.records] == ["ERROR"] * 3
    assert caplog.records[0].exc_info is not None


def test_what_a_failure_comes_to_can_be_told(caplog: pytest.LogCaptureFixture) -> None:
    def telling(error: Exception) -> str:
        asked.append(str(error))
        return f"it was {error}"

    asked: list[str] = []
    failures = FailureGuard("report")
    for name in ("a", "b"):
        with failures.contained("looking", telling=telling):
            raise ValueError(name)
    assert [record.getMessage() for record in caplog.records] == ["looking failed; it was a"]
    assert asked == ["a", "b"]
    with (
        pytest.raises(ValueError, match="c"),
        FailureGuard("raise").contained("x", telling=telling),
    ):
        raise ValueError("c")
    assert asked == ["a", "b", "c"]


def test_another_run_is_told_anew(caplog: pytest.LogCaptureFixture) -> None:
    failures = FailureGuard("report")
    for _ in range(2):
        for _ in range(2):
            with failures.contained("looking"):
                raise ValueError("a")
        failures.forget()
    assert len(caplog.records) == 2


def test_failures_are_raised_where_wanted_and_interrupts_always() -> None:
    with pytest.raises(ValueError, match="a"), FailureGuard("raise").contained("looking"):
        raise ValueError("a")
    with pytest.raises(KeyboardInterrupt), FailureGuard("report").contained("looking"):
        raise KeyboardInterrupt
    with pytest.raises(ArgumentError, match="`on_error`"):
        FailureGuard("ignore")  # type: ignore[arg-type]
