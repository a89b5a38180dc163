"""A page about a run that is watched, written at its end."""

from collapse_guard.atomic import write_atomically
from collapse_guard.callbacks.run_recorder import RunRecorder
from collapse_guard.callbacks.session import WatchSession
from collapse_guard.errors import bad_argument
from collapse_guard.extras import require
from collapse_guard.run_records.read import read_record

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
            name = recorder.path.parent.resolve().name
            page = run_page({name: read_record(recorder.path)})
            write_atomically(recorder.path.with_name(PAGE), page)

    session.at_end.append(write)
