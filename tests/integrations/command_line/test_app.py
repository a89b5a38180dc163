import json
from pathlib import Path

import pytest

from collapse_guard.errors import ArgumentError
from collapse_guard.integrations.command_line.run import run
from tests.integrations.command_line.cases import human_file, saved_models, text_file
from tests.run_records.made import a_look, a_record, an_alert, written


@pytest.mark.parametrize(("temperature", "code"), [(1.0, 0), (0.6, 1)])
def test_an_audit_ends_with_its_verdict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], temperature: float, code: int
) -> None:
    files = [
        text_file(tmp_path / "human.txt", seed=0),
        text_file(tmp_path / "other.txt", seed=1, temperature=temperature),
    ]
    assert run(["audit", *files]) == code
    assert ("Nothing speaks against" in capsys.readouterr().out) == (code == 0)
    assert run(["audit", *files, "--json"]) == code
    found = json.loads(capsys.readouterr().out)
    assert found["is_fit"] == (code == 0)
    assert found["temperatures"] == {}


def test_an_option_reaches_what_it_is_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    human = text_file(tmp_path / "human.txt", seed=0, texts=60)
    rows = [{"said": line} for line in Path(human).read_text().splitlines()]
    said = tmp_path / "said.jsonl"
    said.write_text("\n".join(map(json.dumps, rows)))
    options = ["--target", "0.2", "--seed", "3", "--json"]
    assert run(["audit", str(said), str(said), "--column", "said", *options]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["share"]["target"] == 0.2
    assert found["copies"]["shared"] == 1
    columns = ["--human-column", "said", "--column", "text"]
    with pytest.raises(ArgumentError, match="`--column` expected one of the columns of SYNTHETIC"):
        run(["audit", str(said), str(said), *columns])
    with pytest.raises(ArgumentError, match="`target`"):
        run(["audit", human, human, "--target", "2"])
    # One paragraph.
    with pytest.raises(ArgumentError, match="`--human` expected at least 8"):
        run(["score", "gpt2", "--human", human, "--split-at", "paragraph"])


def test_scores_end_with_what_rules_say(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    start, later = saved_models(tmp_path)
    human = ["--human", human_file(tmp_path / "human.txt"), "--window", "16", "--no-writing"]
    capsys.readouterr()
    assert run(["score", start, *human]) == 0
    captured = capsys.readouterr()
    assert "tail kept" in captured.out
    assert captured.err.startswith(f"looking at {start}\n")
    plot = tmp_path / "plot.png"
    assert run(["score", start, later, *human, "--json", "--plot", str(plot)]) == 1
    assert list(json.loads(capsys.readouterr().out)["models"]) == [start, later]
    assert plot.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("command", [[], ["audit"], ["score"], ["report"], ["compare"], ["watch"]])
def test_help_fits_into_80_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERMINAL_WIDTH", "80")
    assert run([*command, "--help"]) == 0
    text = capsys.readouterr().out
    assert "Usage: collapse-guard" in text
    assert max(map(len, text.splitlines())) <= 80


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
    assert run(["report", run_folder, "--csv", str(table)]) == int(alarmed)
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
