"""`python -m tests.kills`: kills runs, and tells how many came to what they would have."""

import argparse
import importlib
import random
import shutil
import tempfile
import time
from pathlib import Path

import torch

from tests.kills.killing import killed, undisturbed

FRAMEWORKS = ("trainer", "lightning", "session", "example")


def main() -> None:
    """Kill runs of each framework, and end with 1 where one came to something else."""
    parser = argparse.ArgumentParser(prog="python -m tests.kills", description=__doc__)
    parser.add_argument("--frameworks", nargs="+", choices=FRAMEWORKS, default=FRAMEWORKS)
    parser.add_argument("--kills", type=int, default=50, help="runs that are killed, of each")
    parser.add_argument("--seed", type=int, default=None, help="of the moments; told if left out")
    given = parser.parse_args()
    seed = time.time_ns() % 10**6 if given.seed is None else given.seed
    # Each child is a fork of this process, which therefore must not have started any threads.
    torch.set_num_threads(1)
    whole = True
    for name in given.frameworks:
        whole &= _try(name, given.kills, seed)
    raise SystemExit(0 if whole else 1)


def _try(name: str, kills: int, seed: int) -> bool:
    run = importlib.import_module(f"tests.kills.with_{name}").run
    chance = random.Random(f"{name} {seed}")
    same = met = 0
    with tempfile.TemporaryDirectory() as place:
        expected, seconds = undisturbed(run, Path(place, "alone"))
        for number in range(kills):
            folder = Path(place, str(number))
            trial = killed(run, folder, expected, seconds, chance)
            same += not trial.faults
            met += trial.killed
            for fault in trial.faults:
                print(f"{name} {number}, killed after {trial.after} s: {fault}", flush=True)
            shutil.rmtree(folder)
    print(
        f"{name}: {same} of {kills} killed runs came to what the undisturbed one did "
        f"({met} kills met a run of {seconds:.1f} s; seed {seed})",
        flush=True,
    )
    return same == kills


if __name__ == "__main__":
    main()
