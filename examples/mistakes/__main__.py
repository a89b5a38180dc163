"""The command line of the example."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the arguments and run; one that cannot work ends it with one line."""
    given = _parser().parse_args(arguments)
    # As in the recursive example: read when torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

    from collapse_guard.errors import CollapseGuardError
    from collapse_guard.examples.mistakes.studies import STUDIES
    from collapse_guard.examples.mistakes.study import run

    output = Path(given.output)
    try:
        print(run(given.study, STUDIES[given.study], output, given.seeds, quick=given.quick))
    except CollapseGuardError as error:
        raise SystemExit(f"error: {error}") from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m collapse_guard.examples.mistakes")
    parser.add_argument("study", choices=["sums", "entropy", "poison"], help="what is measured")
    parser.add_argument("--output", default="runs/mistakes", help="a folder; goes on here")
    parser.add_argument("--quick", action="store_true", help="seconds; too small to show anything")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="each once")
    return parser


if __name__ == "__main__":
    main()
