"""`python -m tests.mutated 300`: breaks each state and file so often, and tells what came of it."""

import argparse
import logging
import time

import torch

from tests.mutated.breaking import GOOD, cases, outcomes


def main() -> None:
    """Print a table, and end with 1 where anything was taken in by half, or a bare error raised."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutated", description=__doc__)
    parser.add_argument("mutations", nargs="?", type=int, default=300, help="of each")
    parser.add_argument("--only", nargs="+", choices=sorted(cases()), help="these alone")
    parser.add_argument("--seed", type=int, default=None, help="told if left out")
    given = parser.parse_args()
    seed = time.time_ns() % 10**6 if given.seed is None else given.seed
    torch.set_num_threads(1)
    logging.disable(logging.CRITICAL)
    print(f"seed {seed}\n{'of':20}{'mutations':>10}{'refused':>10}{'harmless':>10}{'bad':>6}")
    whole = True
    for name in given.only or cases():
        counts = outcomes(name, given.mutations, seed)
        bad = {what: number for what, number in counts.items() if what not in GOOD}
        whole &= not bad
        numbers = f"{given.mutations:10}{counts['refused']:10}{counts['harmless']:10}"
        print(f"{name:20}{numbers}{sum(bad.values()):6}", flush=True)
        for what, number in bad.items():
            print(f"    {number} {what}", flush=True)
    raise SystemExit(0 if whole else 1)


if __name__ == "__main__":
    main()
