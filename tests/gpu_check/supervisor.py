"""Watches over workers, so that a check that crashes or hangs costs nothing but itself."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TextIO

from tests.gpu_check.checks import Check
from tests.gpu_check.report import Outcome
from tests.gpu_check.worker import Job
from tests.packaging.layout import ROOT

TICK = 0.1
"""Seconds between two looks at what a worker has written."""

GRACE = 3.0
"""Seconds beyond its own that a check is left, as it may be about to end."""

ENVIRONMENT = {
    # Without it cuBLAS is not deterministic, and torch refuses to have it be.
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
    # The Trainer would take all cards that there are; what is claimed is of one.
    "CUDA_VISIBLE_DEVICES": "0",
    "HF_HUB_OFFLINE": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "PYTHONFAULTHANDLER": "1",
    "PYTHONUNBUFFERED": "1",
}
"""For workers, where nothing else is set."""


@dataclass
class _Progress:
    """How far a worker has come."""

    running: str = ""
    began: float = 0.0
    deadline: float = float("inf")
    figures: dict[str, Any] = field(default_factory=dict)
    read: int = 0


def supervise(
    checks: Sequence[Check],
    *,
    deadline: float,
    small: bool,
    log: TextIO,
    done: Callable[[Outcome], None],
    described: Callable[[dict[str, Any]], None] | None = None,
) -> None:
    """Run checks in a process of their own, and in a new one after each that breaks it.

    Args:
        checks: In their order.
        deadline: Of all of them, by `time.monotonic`.
        small: As of `Place`.
        log: Takes what workers print.
        done: Called with each outcome, in the order of the checks.
        described: Called with the description of the machine, before any outcome.
    """
    left = list(checks)
    while left and time.monotonic() < deadline:
        with TemporaryDirectory(prefix="gpu_check_") as name:
            folder = Path(name)
            job = Job(left, deadline, small, str(folder / "events"), described is not None)
            with _started(job, folder, log) as worker, closing(_outcomes(job, worker)) as found:
                for each in found:
                    if not isinstance(each, Outcome):
                        if described is not None:
                            described(each)
                        described = None
                        continue
                    left = [check for check in left if check.name != each.name]
                    done(each)
    for check in left:
        done(Outcome(check.name, check.claim, "not run", reason="the time was over"))


def _outcomes(job: Job, worker: subprocess.Popen[bytes]) -> Iterator[Outcome | dict[str, Any]]:
    """What a worker tells of the machine, what it finds, and what became of it if it ended early.

    Whatever it has not come to is for the next one.
    """
    open_checks = {check.name: check for check in job.checks}
    progress = _Progress()
    while open_checks:
        is_over = worker.poll() is not None
        for each in _read(Path(job.events), progress):
            if isinstance(each, Outcome):
                del open_checks[each.name]
            yield each
        is_late = time.monotonic() > min(progress.deadline, job.deadline) + GRACE
        if open_checks and (is_over or is_late):
            if not progress.running and len(open_checks) < len(job.checks):
                # It ended between two checks: the last one had broken something.
                return
            check = open_checks[progress.running or next(iter(open_checks))]
            yield Outcome(
                check.name,
                check.claim,
                "failed",
                time.monotonic() - progress.began if progress.running else 0.0,
                figures=progress.figures,
                reason=f"the process ended with status {worker.returncode}: see the log"
                if is_over
                else "broken off, as it took longer than it may",
            )
            return
        time.sleep(TICK)


def _read(events: Path, progress: _Progress) -> Iterator[Outcome | dict[str, Any]]:
    """Take in whole lines that are new."""
    with events.open("rb") as file:
        file.seek(progress.read)
        for line in file:
            if not line.endswith(b"\n"):
                return
            progress.read += len(line)
            event = json.loads(line)
            if event["event"] == "machine":
                yield event["machine"]
            elif event["event"] == "begin":
                progress.running, progress.deadline = event["name"], event["deadline"]
                progress.began, progress.figures = time.monotonic(), {}
            elif event["event"] == "note":
                progress.figures = event["figures"]
            else:
                progress.running, progress.deadline = "", float("inf")
                yield Outcome(**event["outcome"])


@contextmanager
def _started(job: Job, folder: Path, log: TextIO) -> Iterator[subprocess.Popen[bytes]]:
    """A worker, which ends with the block, and all that it has started."""
    Path(job.events).touch()
    job.write(folder / "job.json")
    worker = subprocess.Popen(
        [sys.executable, "-m", "tests.gpu_check.worker", str(folder / "job.json")],
        cwd=ROOT,
        env={**ENVIRONMENT, **os.environ},
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        yield worker
    finally:
        with suppress(ProcessLookupError):
            os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()
