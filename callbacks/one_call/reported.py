"""A page about a run that is watched, written at its end."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from collapse_guard.atomic import write_atomically
from collapse_guard.callbacks.run_recorder import RunRecorder
from collapse_guard.callbacks.session import WatchSession
from collapse_guard.errors import CollapseGuardError, bad_argument
from collapse_guard.extras import require
from collapse_guard.mixing.reports.ledger import read_ledger
from collapse_guard.run_records.read import read_record
from collapse_guard.run_records.record import RunRecord

PAGE = "report.html"


def check_report(report: bool) -> None:
    """Refuse, before anything is set up, what would fail at the end of the run.

    Raises:
        ArgumentError: It is neither True nor False.
        MissingExtraError: matplotlib or jinja2 is not installed.
    """
    if not isinstance(report, bool):
        raise bad_argument("report", expected="True or False", given=report, hint="leave it out")
    if report:
        require("jinja2", "report")
        require("matplotlib", "report")


def report_at_end(session: WatchSession, recorder: RunRecorder | None) -> None:
    """Have a session write `report.html` beside what it has written down, on the first process.

    With the ledger that the run keeps in the same folder, as far as that has come by then.

    Args:
        session: Whose recorder was made already, so that the end is written down by then.
        recorder: Of the session.

    Raises:
        ArgumentError: Nothing is written down, of which there could be a page.
    """
    if recorder is None:
        raise bad_argument(
            "report",
            expected="False, where nothing is written down",
            given=True,
            hint="give record= a folder",
        )

    def write(_: WatchSession) -> None:
        from collapse_guard.integrations.run_report.page import run_page

        # Only the first process has a file.
        if recorder.path is not None:
            name, record = recorder.path.parent.resolve().name, read_record(recorder.path)
            ledger = _ledger(recorder.path, record)
            page = run_page({name: record}, None if ledger is None else {name: ledger})
            write_atomically(recorder.path.with_name(PAGE), page)

    session.at_end.append(write)


def _ledger(path: Path, record: RunRecord) -> Mapping[str, Any] | None:
    """The ledger beside a record that this run has kept; None where there is no such one."""
    began = datetime.fromisoformat(record.began).timestamp()
    # Those of runs before it may lie in the same folder.
    found = [each for each in path.parent.glob("mix_ledger*.json") if each.stat().st_mtime >= began]
    try:
        return read_ledger(found[0]) if len(found) == 1 else None
    except (CollapseGuardError, OSError):
        return None
