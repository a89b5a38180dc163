"""The command line of the example."""

import argparse
from collections.abc import Sequence
from pathlib import Path


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the arguments and run; what cannot work ends it with one line."""
    from collapse_guard.errors import CollapseGuardError

    given = _parser().parse_args(arguments)
    try:
        # Lightning is asked for as soon as this is imported.
        from collapse_guard.examples.beyond_text.study import run

        run(Path(given.output), seeds=given.seeds, quick=given.quick)
    except CollapseGuardError as error:
        raise SystemExit(f"error: {error}") from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m collapse_guard.examples.beyond_text",
        description="Generations of a variational autoencoder of handwritten digits, two of which "
        "are rare: which of them vanish when, and what keeps them.",
    )
    parser.add_argument("--output", default="runs/beyond_text", help="a folder")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--quick", action="store_true", help="seconds; too little to show anything")
    return parser


if __name__ == "__main__":
    main()
