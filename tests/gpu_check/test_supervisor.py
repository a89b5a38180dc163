"""What crashes or hangs costs its own check, and the others go on."""

import time
from pathlib import Path

import pytest

from tests.gpu_check.checks import Check
from tests.gpu_check.fakes import check
from tests.gpu_check.report import Outcome
from tests.gpu_check.supervisor import supervise

pytestmark = pytest.mark.slow


def supervised(folder: Path, *checks: Check, seconds: float = 60.0) -> list[Outcome]:
    found: list[Outcome] = []
    with (folder / "log").open("w") as log:
        supervise(
            checks,
            deadline=time.monotonic() + seconds,
            small=True,
            log=log,
            done=found.append,
        )
    return found


def test_the_others_go_on(tmp_path: Path) -> None:
    hanging = check("hang", most=1.0)
    names = ("end_the_process", "hold", "break_down", "break_what_comes_after")
    checks = [*map(check, names), hanging, check("not_hold")]
    began = time.monotonic()
    found = supervised(tmp_path, *checks)
    assert time.monotonic() - began < 50
    assert [outcome.name for outcome in found] == [each.name for each in checks]
    by_name = {outcome.name: outcome for outcome in found}
    assert {name: outcome.status for name, outcome in by_name.items()} == {
        "end_the_process": "failed",
        "hold": "passed",
        "break_down": "failed",
        "break_what_comes_after": "passed",
        "hang": "failed",
        "not_hold": "failed",
    }
    assert "status 7" in by_name["end_the_process"].reason
    assert by_name["end_the_process"].figures == {"before": 2}
    assert "longer than it may" in by_name["hang"].reason
    assert by_name["hang"].figures == {"before": 3}
    assert by_name["not_hold"].reason == ""
    assert "illegal memory access" in (tmp_path / "log").read_text()


def test_nothing_runs_beyond_the_end(tmp_path: Path) -> None:
    found = supervised(tmp_path, check("hang"), check("hold"), seconds=2.0)
    assert [outcome.status for outcome in found] == ["failed", "not run"]
    found = supervised(tmp_path, check("hold"), seconds=-1.0)
    assert [outcome.status for outcome in found] == ["not run"]
