"""The default sink tells each alert once, as loudly as it is severe."""

import logging

import pytest

from collapse_guard import Alert, log_alert


@pytest.mark.parametrize(
    ("severity", "level"),
    [("info", logging.INFO), ("warn", logging.WARNING), ("critical", logging.ERROR)],
)
def test_severity_is_the_level(severity, level: int, caplog: pytest.LogCaptureFixture) -> None:
    alert = Alert("rule", "tail_gap", 0.3, 0.2, 0.01, 8, severity, "30% is gone: %s")
    with caplog.at_level(logging.INFO, "collapse_guard"):
        log_alert(alert)
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("collapse_guard", level)
    # A per cent sign in a message is no place for an argument.
    assert record.getMessage() == "30% is gone: %s"
