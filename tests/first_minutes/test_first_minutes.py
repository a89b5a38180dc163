"""How much of this package somebody has to know, in each framework, and that it is enough."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.packaging.layout import ROOT

FOLDER = ROOT / "tests" / "first_minutes"
SCRIPTS = sorted(path.stem for path in FOLDER.glob("with_*.py"))
CONCEPTS = {"with_a_loop": ["watch", "run.step"]}
"""What is called of this package; only `watch` where a framework calls the rest."""


def ours_in(script: str) -> tuple[list[str], list[str]]:
    """What a script imports of this package, and what it calls of it."""
    tree = ast.parse((FOLDER / f"{script}.py").read_text(encoding="utf-8"))
    imported = [
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("collapse_guard")
        for alias in node.names
    ]
    made = {
        item.optional_vars.id
        for node in ast.walk(tree)
        if isinstance(node, ast.With)
        for item in node.items
        if isinstance(item.optional_vars, ast.Name)
    }
    called = [
        ast.unparse(node.func)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).partition(".")[0] in {*imported, *made}
    ]
    return imported, called


def test_there_is_one_for_each_framework() -> None:
    assert SCRIPTS == ["with_a_loop", "with_huggingface", "with_lightning", "with_trl"]


@pytest.mark.parametrize("script", SCRIPTS)
def test_it_takes_one_import_and_one_call(script: str) -> None:
    imported, called = ours_in(script)
    assert imported == ["watch"]
    assert called == CONCEPTS.get(script, ["watch"])


@pytest.mark.slow
@pytest.mark.parametrize("script", ["with_a_loop"])
def test_it_runs(script: str, tmp_path: Path) -> None:
    """The others run on the wheel, in `.ci/quick_starts`."""
    done = subprocess.run(
        [sys.executable, str(FOLDER / f"{script}.py")],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "collapse_guard watches" in done.stdout
    assert "looks took" in done.stdout
    assert (tmp_path / "out" / "loop" / "collapse_run.jsonl").is_file()
