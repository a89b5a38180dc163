import os
import sys
import time
from pathlib import Path

import pytest

from collapse_guard import MixGuard
from collapse_guard.callbacks.one_call.reported import check_report, report_at_end
from collapse_guard.callbacks.run_recorder import record_run
from collapse_guard.errors import ArgumentError, MissingExtraError
from collapse_guard.mixing.reports.ledger import Shown, ledger_of, write_ledger
from tests.callbacks.loops import session_of, train


def test_a_page_lies_beside_the_record_at_the_end(tmp_path: Path) -> None:
    session = session_of()
    report_at_end(session, record_run(session, tmp_path / "run"))
    train(session)
    page = (tmp_path / "run" / "report.html").read_text()
    assert "<h1>run</h1>" in page
    assert "still running" not in page


@pytest.mark.parametrize("age", [None, 3600])
def test_the_ledger_that_the_run_keeps_is_shown_and_no_older_one(
    tmp_path: Path, age: float | None
) -> None:
    session = session_of()
    recorder = record_run(session, tmp_path)
    rows = [{"input_ids": [1]}] * 8
    mix = MixGuard(rows, rows, human_fraction=0.5, block_size=2)

    def keep(*_: object) -> None:
        path = write_ledger(tmp_path, ledger_of(mix, Shown(0, 4, None), step=2, run="a"))
        if age is not None:
            os.utime(path, (time.time() - age,) * 2)

    session.at_end.append(keep)
    report_at_end(session, recorder)
    train(session)
    page = (tmp_path / "report.html").read_text()
    assert ("50.0% of 4 rows were human, to step 2" in page) == (age is None)


def test_a_ledger_that_is_none_costs_the_page_nothing(tmp_path: Path) -> None:
    for broken in (["mix_ledger.json"], ["mix_ledger.json", "mix_ledger-2.json"]):
        folder = tmp_path / f"{len(broken)}"
        session = session_of()
        recorder = record_run(session, folder)
        session.at_end.extend(
            lambda _, path=folder / name: path.write_text("{}") for name in broken
        )
        report_at_end(session, recorder)
        train(session)
        page = (folder / "report.html").read_text()
        assert "<h2>What was shown</h2>" not in page


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
