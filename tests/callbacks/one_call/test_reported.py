import sys
from pathlib import Path

import pytest

from collapse_guard.callbacks.one_call.reported import check_report, report_at_end
from collapse_guard.callbacks.run_recorder import record_run
from collapse_guard.errors import ArgumentError, MissingExtraError
from tests.callbacks.loops import session_of, train


def test_a_page_lies_beside_the_record_at_the_end(tmp_path: Path) -> None:
    session = session_of()
    report_at_end(session, record_run(session, tmp_path / "run"))
    train(session)
    page = (tmp_path / "run" / "report.html").read_text()
    assert "<h1>run</h1>" in page
    assert "still running" not in page


def test_what_cannot_come_to_a_page_is_refused_before_the_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(ArgumentError, match="`report` expected False, where nothing"):
        report_at_end(session_of(), None)
    with pytest.raises(ArgumentError, match="`report` expected True or False"):
        check_report("report.html")  # type: ignore[arg-type]
    check_report(False)
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(MissingExtraError, match="report"):
        check_report(True)
