"""The program itself, as a shell starts it."""

import subprocess
import sys
from pathlib import Path

import pytest

from collapse_guard import __main__


def main(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "collapse_guard", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_runs_and_offers_all_commands() -> None:
    done = main("--help")
    assert done.returncode == 0, done.stderr
    for command in ("audit", "score", "report", "compare", "watch", "demo"):
        assert f" {command} " in done.stdout


def test_what_cannot_work_is_one_line(tmp_path: Path) -> None:
    done = main("audit", str(tmp_path / "nothing.txt"), "b")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: argument `HUMAN`")
    assert done.stderr.count("\n") == 1


def test_without_the_extra_it_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for module in [name for name in sys.modules if name.startswith("collapse_guard.")]:
        if "command_line" in module or module == "collapse_guard.examples.demo":
            monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "typer", None)
    monkeypatch.setattr(sys, "argv", ["collapse-guard", "audit"])
    with pytest.raises(SystemExit) as ended:
        __main__.main()
    assert ended.value.code == 2
    assert capsys.readouterr().err == (
        "error: typer is needed here and is not installed: run `pip install "
        '"collapse_guard[cli]"`.\n'
    )
