"""`python -m tests.hostile 20000`: calls everything public with hostile arguments, and counts."""

import argparse
import json
import os
import random
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

# Names that no hub has would be asked for there, again and again.
os.environ["HF_HUB_OFFLINE"] = "1"

import torch

from tests.hostile.targets import TARGETS
from tests.hostile.trying import Trial, all_changes, attempts, pairs
from tests.hostile.values import HOSTILE

OUTCOMES = ("result", "ours", "bare", "hung", "memory")


def main() -> None:
    """Try them, and end with 1 where a call gave neither a result nor one of our errors."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description=__doc__)
    parser.add_argument("calls", type=int, nargs="?", default=20_000)
    parser.add_argument("--targets", nargs="+", choices=sorted(TARGETS), default=sorted(TARGETS))
    parser.add_argument("--seed", type=int, default=None, help="of what is tried; told if left out")
    parser.add_argument("--output", type=Path, help="a file for each call that went wrong")
    given = parser.parse_args()
    seed = time.time_ns() % 10**6 if given.seed is None else given.seed
    # Each child is a fork of this process, which therefore must not have started any threads.
    torch.set_num_threads(1)
    share = _share(given.targets, given.calls)
    wrong: list[Trial] = []
    total: Counter[str] = Counter()
    print(f"{'target':44s} {'calls':>6s} " + " ".join(f"{name:>6s}" for name in OUTCOMES))
    for name in given.targets:
        trials = _tried(name, share, seed)
        counts = Counter(trial.outcome for trial in trials)
        total += counts
        wrong += [trial for trial in trials if trial.outcome not in ("result", "ours")]
        print(_line(name, counts), flush=True)
    print(f"{_line('all together', total)} (seed {seed})")
    if given.output:
        lines = [json.dumps([t.target, t.changes, t.outcome, t.told]) for t in wrong]
        given.output.write_text("\n".join(lines) + "\n", encoding="utf-8")
    raise SystemExit(1 if wrong else 0)


def _share(names: Sequence[str], calls: int) -> int:
    """Calls of a target that can have any number: those of one argument have one for each value."""
    few = [len(HOSTILE) * len(TARGETS[name].good()) for name in names]
    few = [most for most in few if most <= len(HOSTILE)]
    return max(len(HOSTILE), -(-(calls - sum(few)) // max(1, len(names) - len(few))))


def _tried(name: str, count: int, seed: int) -> list[Trial]:
    """Single values first, of which there are few, and pairs for the rest."""
    target, chance = TARGETS[name], random.Random(f"{name} {seed}")
    wanted = all_changes(target, chance)[:count]
    more = pairs(target, chance)
    wanted += [changes for _, changes in zip(range(count - len(wanted)), more, strict=False)]
    return attempts(target, wanted)


def _line(name: str, counts: Counter[str]) -> str:
    figures = " ".join(f"{counts[outcome]:6d}" for outcome in OUTCOMES)
    return f"{name:44s} {counts.total():6d} {figures}"


if __name__ == "__main__":
    main()
