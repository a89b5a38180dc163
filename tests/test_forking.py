"""Forked processes are as far apart as launched ones."""

import json
import os
import random
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
from torch.multiprocessing import ProcessRaisedException

from tests.forking import SLOW_TO_IMPORT, WORLD, Program, finish

pytestmark = pytest.mark.slow


def tell(rank: int, folder: str) -> None:
    told = {
        "hash": hash("text"),
        "order": list({"human", "synthetic", "other", "more"}),
        "random": [random.random(), np.random.random()],
        "given": os.environ.get("GIVEN"),
        "missing": [name for name in SLOW_TO_IMPORT if name not in sys.modules],
        "ours": "tests.tiny" in sys.modules,
    }
    Path(folder, f"{rank}.json").write_text(json.dumps(told))


def fail(rank: int) -> None:
    if rank == 1:
        raise ValueError("as planned")


def test_ranks_differ_in_what_chance_gives_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIVEN", "now")
    finish(tell, str(tmp_path))
    one, other = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(WORLD))
    assert one["hash"] != other["hash"]
    assert one["order"] != other["order"]
    assert not {*one["random"]} & {*other["random"]}
    for told in (one, other):
        assert told["given"] == "now"
        assert told["missing"] == []
        assert not told["ours"]
    finish(tell, str(tmp_path))
    again = json.loads((tmp_path / "0.json").read_text())
    assert not {*one["random"]} & {*again["random"]}


def test_what_a_rank_raises_is_told() -> None:
    with pytest.raises(ProcessRaisedException, match="ValueError: as planned"):
        finish(fail)


def test_a_program_is_run_as_from_the_command_line(tmp_path: Path) -> None:
    errors = tmp_path / "errors.txt"
    given = {**os.environ, "GIVEN": "as well"}
    program = Program("tests.told", ["one", "two"], given, errors)
    assert program.read(60) == "__main__ one two as well\n"
    assert program.wait() == 1
    assert errors.read_text() == "ended\n"


def test_a_program_can_be_killed(tmp_path: Path) -> None:
    program = Program("tests.told", ["wait"], os.environ, tmp_path / "errors.txt")
    assert program.stdout.readline() == "waiting\n"
    program.process.kill()
    assert program.wait() == -signal.SIGKILL


def test_a_program_that_hangs_is_killed(tmp_path: Path) -> None:
    program = Program("tests.told", ["wait"], os.environ, tmp_path / "errors.txt")
    assert program.read(1.0) in ("", "waiting\n")
    assert program.wait() == -signal.SIGKILL
