"""Kills runs at moments that chance picks, and lets them go on until they are done."""

import json
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.kills.outcome import OUTCOME, leftovers

Run = Callable[[Path], None]

_PATIENCE = 300.0
"""Seconds after which a run that was not killed counts as hanging."""


@dataclass(frozen=True)
class Trial:
    """One run that was killed, once or twice, and then left to end.

    Attributes:
        after: Seconds from each beginning to the kill; a run may have been done before.
        killed: How many of the kills met a run that was not done.
        faults: What differs from the run that nobody killed, or was left lying about.
    """

    after: tuple[float, ...]
    killed: int
    faults: tuple[str, ...]


def undisturbed(run: Run, folder: Path) -> tuple[dict[str, Any], float]:
    """What a run comes to that nobody kills, and how many seconds it takes.

    Raises:
        RuntimeError: It failed.
    """
    began = time.perf_counter()
    faults = _finish(run, folder)
    if faults:
        raise RuntimeError(f"the run fails without a kill: {faults}")
    return _outcome(folder), time.perf_counter() - began


def killed(
    run: Run, folder: Path, expected: dict[str, Any], seconds: float, chance: random.Random
) -> Trial:
    """Kill a run once or twice, let it end, and compare.

    Args:
        run: Begins in a folder, or goes on with what is there.
        folder: An empty one.
        expected: What it comes to when nobody kills it.
        seconds: How long that takes.
        chance: Picks the moments.
    """
    moments = [chance.uniform(0.1, 0.95) * seconds for _ in range(chance.choice([1, 1, 2]))]
    met = 0
    faults: list[str] = []
    for moment in moments:
        child = _begin(run, folder)
        time.sleep(moment)
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        met += os.WIFSIGNALED(status)
        faults += leftovers(folder)
    # Done before the kill, it has nothing to go on with.
    (folder / OUTCOME).unlink(missing_ok=True)
    faults += _finish(run, folder)
    if not faults:
        found = _outcome(folder)
        faults = [f"`{name}` differs" for name in expected if found.get(name) != expected[name]]
    return Trial(tuple(round(each, 2) for each in moments), met, tuple(faults))


def _finish(run: Run, folder: Path) -> list[str]:
    child = _begin(run, folder)
    waited = 0.0
    while not (ended := os.waitpid(child, os.WNOHANG))[0]:
        time.sleep(0.02)
        waited += 0.02
        if waited > _PATIENCE:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return ["hangs"]
    code = os.waitstatus_to_exitcode(ended[1])
    return [f"ended with {code}: {_last_line(folder)}"] if code else []


def _begin(run: Run, folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    child = os.fork()
    if child:
        return child
    # Nothing of the parent may run in here: no tests, no handlers at exit.
    code = 1
    try:
        with (folder / "said.txt").open("a", encoding="utf-8") as said:
            os.dup2(said.fileno(), 1)
            os.dup2(said.fileno(), 2)
            try:
                run(folder)
                code = 0
            except BaseException:
                traceback.print_exc()
            sys.stdout.flush()
            sys.stderr.flush()
    finally:
        os._exit(code)


def _outcome(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / OUTCOME).read_text(encoding="utf-8"))
    return found


def _last_line(folder: Path) -> str:
    lines = (folder / "said.txt").read_text(encoding="utf-8").strip().splitlines()
    return lines[-1] if lines else "without a word"
