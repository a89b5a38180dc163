"""A short form of `python -m tests.kills`, and that it would find what it looks for."""

import json
import os
import random
from pathlib import Path

import pytest
import torch

from tests.forking import Program
from tests.kills.killing import killed
from tests.kills.outcome import OUTCOME, RowLog, leftovers


@pytest.mark.slow
@pytest.mark.parametrize("name", ["trainer", "lightning", "session"])
def test_killed_runs_come_to_what_they_would_have(name: str, tmp_path: Path) -> None:
    errors = tmp_path / "errors.txt"
    asked = ["--frameworks", name, "--kills", "3", "--seed", "0"]
    program = Program("tests.kills", asked, os.environ, errors)
    printed = program.read(600)
    assert program.wait() == 0, printed + errors.read_text(encoding="utf-8")
    assert f"{name}: 3 of 3 killed runs" in printed


def forgetful(folder: Path) -> None:
    """A run that counts its beginnings, and leaves half a file."""
    count = folder / "count"
    begun = len(count.read_text()) if count.exists() else 0
    count.write_text("x" * (begun + 1))
    (folder / "half.json").write_text("{" if begun else "{}")
    (folder / "generation_config.json").write_text("{")
    (folder / OUTCOME).write_text(json.dumps({"begun": begun}))


def test_what_differs_and_what_is_half_is_found(tmp_path: Path) -> None:
    trial = killed(forgetful, tmp_path / "run", {"begun": 0}, 0.5, random.Random(0))
    assert "`begun` differs" in trial.faults
    assert leftovers(tmp_path / "run") == ["half.json is no whole JSON"]


def test_rows_that_are_read_again_take_the_place_of_the_first(tmp_path: Path) -> None:
    log = RowLog(tmp_path)
    for step, token in [(0, 5), (1, 6), (1, 7), (2, 8)]:
        log.add(step, torch.tensor([[token]]))
    with (tmp_path / "rows.txt").open("a") as file:
        file.write("3 abc")
    again = RowLog(tmp_path / "again")
    (tmp_path / "again").mkdir()
    for step, token in [(0, 5), (1, 7), (2, 8)]:
        again.add(step, torch.tensor([[token]]))
    assert log.rows() == again.rows()
    assert len(log.rows()) == 3
