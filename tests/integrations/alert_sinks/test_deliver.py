"""The program that talks to apprise says of each URL what became of it."""

import json
import subprocess
import sys

import pytest

from collapse_guard.integrations.alert_sinks import deliver

pytest.importorskip("apprise", reason="apprise is not installed")


@pytest.mark.parametrize(
    ("message", "expected"),
    [(None, [True, False]), ({"title": "t", "body": "b", "notify_type": "info"}, [False, False])],
)
def test_each_url_is_answered(message: object, expected: list[bool]) -> None:
    # A port that nobody listens at.
    told = {"path": sys.path, "urls": ["json://127.0.0.1:9", "nowhere://x"], "message": message}
    done = subprocess.run(
        [sys.executable, deliver.__file__], input=json.dumps(told), capture_output=True, text=True
    )
    assert json.loads(done.stdout) == expected
