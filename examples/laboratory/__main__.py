"""The command line of the laboratory."""

import argparse
from collections.abc import Sequence
from pathlib import Path


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the arguments and run; one that cannot work ends it with one line."""
    from collapse_guard.errors import CollapseGuardError
    from collapse_guard.examples.laboratory.experiment import Effort
    from collapse_guard.examples.laboratory.reproduce import reproduce

    given = _parser().parse_args(arguments)
    try:
        effort = Effort(seed=given.seed, quick=given.quick)
        reproduce(Path(given.output), only=given.only, effort=effort)
    except CollapseGuardError as error:
        raise SystemExit(f"error: {error}") from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m collapse_guard.examples.laboratory")
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("reproduce", help="compare with what was published")
    command.add_argument("--only", nargs="+", default=[], help="names of experiments")
    command.add_argument("--quick", action="store_true", help="a twentieth of the replicates")
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("--output", default="runs/laboratory", help="a folder")
    return parser


if __name__ == "__main__":
    main()
