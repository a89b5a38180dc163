"""Check what only a GPU can show, and write it down after each check."""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.gpu_check.checks import CHECKS
from tests.gpu_check.machine import file_name, unmet
from tests.gpu_check.report import Outcome, Report
from tests.gpu_check.supervisor import supervise
from tests.packaging.layout import ROOT

RESULTS = ROOT / "tests" / "gpu_check" / "results"
TRIED = ROOT / "runs" / "gpu_check"
"""Where results of a GPU go by default, and those of a trial."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the checks, and write what came of them after each.

    Args:
        arguments: The command line without the program's name; that of the process if None.

    Returns:
        0; 1 where a check failed; 2 where nothing could be checked.
    """
    began = time.monotonic()
    given = _parser().parse_args(arguments)
    if lacking := list(unmet()):
        print(f"This Python lacks {', '.join(lacking)}: {sys.executable}", file=sys.stderr)
        return 2
    report = Report({}, given.small, [])
    # Until it is known where this is.
    path: Path = given.output or TRIED / "unknown.json"

    def described(machine: dict[str, Any]) -> None:
        nonlocal report, path
        if not given.small and "driver" not in machine:
            raise NoGpuError
        report = replace(report, machine=machine)
        path = given.output or (TRIED if given.small else RESULTS) / file_name(machine)
        print(", ".join(f"{name} {value}" for name, value in machine.items()), flush=True)

    def done(outcome: Outcome) -> None:
        nonlocal report
        report = replace(report, outcomes=[*report.outcomes, outcome])
        report.write(path)
        print(outcome.line, flush=True)
        if outcome.trace:
            print(outcome.trace, flush=True)

    log_path = (given.output or TRIED / "all").with_suffix(".log")
    log_path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with log_path.open("w", encoding="utf-8") as log:
            supervise(
                [check for check in CHECKS if given.only is None or check.name in given.only],
                deadline=began + given.max_seconds,
                small=given.small,
                log=log,
                done=done,
                described=described,
            )
    except NoGpuError:
        print("There is no GPU: --small tries the checks without one.", file=sys.stderr)
        return 2
    print(f"\n{report.to_markdown()}\nWritten: {path}, {path.with_suffix('.md')}, {log_path}")
    return int(report.failed)


class NoGpuError(Exception):
    """What is to be checked takes one."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.gpu_check", description=__doc__)
    parser.add_argument(
        "--output", type=Path, help="JSON file for the results; a table and a log go beside it"
    )
    parser.add_argument(
        "--small", action="store_true", help="only try the checks, on whatever there is"
    )
    parser.add_argument("--only", nargs="+", choices=[check.name for check in CHECKS])
    parser.add_argument(
        "--max-seconds", type=float, default=480, help="after which nothing is begun (480)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
