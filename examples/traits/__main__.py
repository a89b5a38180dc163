"""The command line of the example."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collapse_guard.examples.traits.students import Effort


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the arguments and run; one that cannot work ends it with one line."""
    import torch

    from collapse_guard.errors import CollapseGuardError
    from collapse_guard.examples.traits.study import study

    # So small a model gains nothing from threads, and waits for them where a machine is busy.
    torch.set_num_threads(1)
    given = _parser().parse_args(arguments)
    try:
        study(Path(given.output), _effort(given))
    except CollapseGuardError as error:
        raise SystemExit(f"error: {error}") from error


def _effort(given: argparse.Namespace) -> "Effort":
    from collapse_guard.examples.traits.students import QUICK, Effort

    named = {name: getattr(given, name) for name in _WHAT_CAN_BE_VARIED}
    told = {name: value for name, value in named.items() if value is not None}
    return replace(QUICK if given.quick else Effort(), seed=given.seed, **told)


_WHAT_CAN_BE_VARIED = {
    "seeds": "runs, each with models, teachers and rows of its own",
    "width": "size of the hidden states",
    "teacher_steps": "training steps of a teacher on sentences of animals",
    "rows": "rows of numbers that each teacher writes",
    "student_steps": "training steps of a student on them",
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m collapse_guard.examples.traits",
        description="A teacher is taught to prefer owls and writes rows of numbers. Do students "
        "of the numbers come to prefer owls?",
    )
    parser.add_argument("--output", default="runs/traits", help="a folder")
    parser.add_argument("--quick", action="store_true", help="seconds; too small to show anything")
    parser.add_argument("--seed", type=int, default=0, help="of every random choice")
    for name, meaning in _WHAT_CAN_BE_VARIED.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, help=meaning)
    return parser


if __name__ == "__main__":
    main()
