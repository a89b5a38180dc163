"""Checks are run in their order, for as long as there is time, and none spoils the next."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from tests.gpu_check.checks import CHECKS, Check
from tests.gpu_check.fakes import check
from tests.gpu_check.worker import Job, allowance, work
from tests.packaging.layout import ROOT


def told(*checks: Check, seconds: float = 60.0) -> list[tuple[str, dict[str, Any]]]:
    """What a worker tells, which must be JSON."""
    events: list[tuple[str, dict[str, Any]]] = []

    def tell(event: str, **content: Any) -> None:
        events.append((event, json.loads(json.dumps(content))))

    work(Job(checks, time.monotonic() + seconds, True, ""), tell)
    return events


def outcomes(*checks: Check, seconds: float = 60.0) -> dict[str, dict[str, Any]]:
    ends = [
        content["outcome"] for event, content in told(*checks, seconds=seconds) if event == "end"
    ]
    return {outcome["name"]: outcome for outcome in ends}


def test_each_ends_as_it_should() -> None:
    found = outcomes(*map(check, ("hold", "not_hold", "skip", "break_down")))
    assert {name: outcome["status"] for name, outcome in found.items()} == {
        "hold": "passed",
        "not_hold": "failed",
        "skip": "skipped",
        "break_down": "failed",
    }
    assert found["not_hold"]["conditions"] == {"it holds": True, "this does not": False}
    broken = found["break_down"]
    assert broken["reason"] == "ValueError: broken"
    assert "in break_down" in broken["trace"]
    assert broken["figures"] == {"before": 1}


def test_what_happens_is_told_as_it_happens() -> None:
    events = told(check("break_down"), check("hold"))
    assert [event for event, _ in events] == ["begin", "note", "end", "begin", "end"]


def test_a_check_knows_how_long_it_has() -> None:
    left = outcomes(check("hold", most=20.0))["hold"]["figures"]["left"]
    assert 10.0 < left <= 20.0


def test_what_does_not_fit_is_not_begun() -> None:
    found = outcomes(check("not_hold", least=50.0), check("hold"), seconds=30.0)
    assert found["not_hold"]["status"] == "not run"
    assert "50 s" in found["not_hold"]["reason"]
    assert found["hold"]["status"] == "passed"


SECONDS = st.floats(0.1, 200)


@given(
    bounds=st.lists(st.tuples(SECONDS, SECONDS), min_size=1, max_size=6), left=st.floats(-5, 900)
)
def test_time_is_given_fairly(bounds: list[tuple[float, float]], left: float) -> None:
    checks = [check(f"c{i}", least=min(b), most=max(b)) for i, b in enumerate(bounds)]
    first, later = checks[0], checks[1:]
    given = allowance(first, later, left)
    if left < first.least:
        assert given == 0
        return
    assert first.least <= given <= min(first.most, left)
    # Whatever it takes beyond its least is not taken from the least of those after it.
    if given > first.least:
        assert left - given >= sum(each.least for each in later) - 1e-6


def test_all_checks_fit_into_eight_minutes() -> None:
    assert sum(each.least for each in CHECKS) < 300
    assert len({each.name for each in CHECKS}) == len(CHECKS)


def test_a_job_goes_through_a_file(tmp_path: Path) -> None:
    job = Job([check("hold"), check("skip", least=1)], 12.5, False, "events", True)
    job.write(tmp_path / "job.json")
    assert Job.read(tmp_path / "job.json") == job


@pytest.mark.parametrize("each", CHECKS, ids=lambda each: each.name)
def test_every_check_is_there(each: Check) -> None:
    module, name = each.function.split(":")
    source = (ROOT / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8")
    assert f"\ndef {name}(place: Place) -> Findings:" in source
