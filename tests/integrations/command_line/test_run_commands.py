import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from collapse_guard.errors import ArgumentError
from collapse_guard.integrations.command_line.run import run
from collapse_guard.integrations.run_report.curves import Curve, curves_of
from collapse_guard.run_records.record import RunRecord
from tests.run_records.made import a_look, a_record, an_alert, written


def a_run(folder: Path, *, kept: float = 0.9, alarmed: bool = False) -> str:
    folder.mkdir()
    alerts = (an_alert(4),) if alarmed else ()
    looks = (a_look(0, 1.0), a_look(4, kept, alerts=alerts))
    (folder / "collapse_run.jsonl").write_text(written(a_record(*looks, has_ended=True)))
    return str(folder)


@pytest.mark.parametrize("alarmed", [False, True])
def test_a_report_is_a_page_and_an_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], alarmed: bool
) -> None:
    run_folder = a_run(tmp_path / "a", alarmed=alarmed)
    table = tmp_path / "a.csv"
    pictures = tmp_path / "pictures"
    also = ["--csv", str(table), "--plots", str(pictures)]
    assert run(["report", run_folder, *also]) == int(alarmed)
    assert (pictures / "01_tail_retention.png").read_bytes().startswith(b"\x89PNG")
    page = tmp_path / "a" / "report.html"
    assert f"Written: {page}" in capsys.readouterr().out.replace("\n", "")
    assert page.read_text().startswith("<!doctype html>")
    assert table.read_text().startswith("run,step,")
    assert run(["report", run_folder, "--json", "--output", str(tmp_path / "b.html")]) == int(
        alarmed
    )
    found = json.loads(capsys.readouterr().out)
    assert found["runs"]["a"]["values"]["tail_retention"] == 0.9
    assert run(["watch", run_folder]) == int(alarmed)
    assert "ended" in capsys.readouterr().out


def test_pictures_are_the_curves_of_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []

    def counted(runs: Mapping[str, RunRecord]) -> tuple[Curve, ...]:
        drawn.append(curves_of(runs))
        return drawn[-1]

    for module in ("curves", "page"):
        home = f"collapse_guard.integrations.run_report.{module}.curves_of"
        monkeypatch.setattr(home, counted)
    run(["report", a_run(tmp_path / "a"), "--plots", str(tmp_path / "pictures")])
    assert len(drawn) == 1
    svg = (tmp_path / "pictures" / "01_tail_retention.svg").read_text()
    assert svg in (tmp_path / "a" / "report.html").read_text()


def test_runs_are_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = [a_run(tmp_path / "one"), a_run(tmp_path / "other", kept=0.5, alarmed=True)]
    page = tmp_path / "compare.html"
    assert run(["compare", *folders, "--output", str(page)]) == 1
    assert "2 runs side by side" in page.read_text()
    assert "50%" in capsys.readouterr().out
    with pytest.raises(ArgumentError, match="`RUN` expected at least two"):
        run(["compare", folders[0]])
    with pytest.raises(ArgumentError, match="`RUN` expected a file"):
        run(["report", str(tmp_path)])
