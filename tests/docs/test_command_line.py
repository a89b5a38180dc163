"""The commands of the page on the command line run, on small stand-ins."""

import shlex
from pathlib import Path

import pytest

from collapse_guard import __main__
from tests.docs.pages import ROOT
from tests.integrations.command_line.cases import human_file, saved_models, text_file
from tests.run_records.made import a_look, a_record, written

COMMANDS = [
    line.removeprefix("$ ")
    for line in (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("$ ")
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("user")
    human_file(made / "human.txt")
    text_file(made / "written.txt", seed=3)
    saved_models(made)
    for name in ("one", "other"):
        (made / "runs" / name).mkdir(parents=True)
        record = a_record(a_look(0, 1.0), a_look(4, 0.9), has_ended=True)
        (made / "runs" / name / "collapse_run.jsonl").write_text(written(record))
    return made


def test_there_are_some() -> None:
    assert len(COMMANDS) >= 6


@pytest.mark.parametrize("command", COMMANDS)
def test_it_runs(command: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    program, *arguments = shlex.split(command)
    assert program == "collapse-guard"
    monkeypatch.setattr("sys.argv", [program, *arguments])
    with pytest.raises(SystemExit) as ended:
        __main__.main()
    assert ended.value.code in (0, 1)
    for file in (each for each in arguments if each.endswith((".html", ".csv", ".png"))):
        assert (folder / file).is_file()
