"""Runs checks one after the other, and writes down what comes of them; the supervisor reads it.

    python -m tests.gpu_check.worker JOB

where JOB is a file of JSON that the supervisor wrote: `Job` says what is in it.
"""

import gc
import json
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.gpu_check.checks import Check, Findings, Place
from tests.gpu_check.machine import description
from tests.gpu_check.report import Outcome, Status


@dataclass(frozen=True)
class Job:
    """What a worker is to do.

    Attributes:
        checks: In their order.
        deadline: Of all of them, by `time.monotonic`, which all processes of a machine share.
        small: As of `Place`.
        events: A file that what happens is appended to, a line of JSON each.
        describe: Whether to tell of the machine first.
    """

    checks: Sequence[Check]
    deadline: float
    small: bool
    events: str
    describe: bool = False

    def write(self, path: Path) -> None:
        """Write it where a worker reads it."""
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> "Job":
        """The inverse of `write`."""
        job = json.loads(path.read_text(encoding="utf-8"))
        return cls(**{**job, "checks": [Check(**check) for check in job["checks"]]})


def allowance(check: Check, later: Sequence[Check], left: float) -> float:
    """Seconds that a check may take; 0 where it is not to be begun.

    Args:
        check: The check.
        later: Those that are to run after it, and are each left the least that they take.
        left: Seconds until the end of all.
    """
    if left < check.least:
        return 0.0
    return min(check.most, left, max(check.least, left - sum(each.least for each in later)))


def work(job: Job, tell: Callable[..., None]) -> None:
    """Run the checks of a job.

    Args:
        job: What to do.
        tell: Called with the name of an event and what belongs to it.
    """
    for number, check in enumerate(job.checks):
        left = job.deadline - time.monotonic()
        seconds = allowance(check, job.checks[number + 1 :], left)
        if not seconds:
            reason = f"it takes {check.least:.0f} s at least, and {max(left, 0):.0f} s were left"
            tell("end", outcome=asdict(Outcome(check.name, check.claim, "not run", reason=reason)))
            continue
        tell("begin", name=check.name, deadline=time.monotonic() + seconds)
        tell("end", outcome=asdict(_outcome(check, seconds, job.small, tell)))
        _tidy()


def _outcome(check: Check, seconds: float, small: bool, tell: Callable[..., None]) -> Outcome:
    began = time.monotonic()
    noted: dict[str, Any] = {}

    def note(figures: Mapping[str, Any]) -> None:
        noted.update(figures)
        tell("note", figures=noted)

    def result(status: Status, findings: Findings, reason: str = "", trace: str = "") -> Outcome:
        return Outcome(
            check.name,
            check.claim,
            status,
            time.monotonic() - began,
            {condition: bool(holds) for condition, holds in findings.conditions.items()},
            findings.figures,
            reason,
            trace,
        )

    module, name = check.function.split(":")
    try:
        with TemporaryDirectory(prefix="gpu_check_") as folder:
            place = Place(Path(folder), began + seconds, small, note)
            findings = getattr(import_module(module), name)(place)
    except Exception as error:
        told = str(error).strip() or "it does not say why"
        reason = f"{type(error).__name__}: {told.splitlines()[0]}"
        return result("failed", Findings(noted), reason, traceback.format_exc())
    if not all(findings.conditions.values()):
        return result("failed", findings, findings.skipped)
    return result("skipped" if findings.skipped else "passed", findings, findings.skipped)


def _tidy() -> None:
    """Leave the next check the memory that this one took."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        # Raises what the check has broken on the device, so that a new process goes on.
        torch.cuda.synchronize()
        torch.cuda.empty_cache()


def _plain(value: Any) -> Any:
    """What JSON takes in the place of numpy's and torch's numbers."""
    return value.item() if hasattr(value, "item") else str(value)


def main(path: str) -> None:
    """Do the job in a file."""
    job = Job.read(Path(path))

    def tell(event: str, **content: Any) -> None:
        line = json.dumps({"event": event, **content}, default=_plain)
        with Path(job.events).open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    if job.describe:
        tell("machine", machine=description())
    work(job, tell)


if __name__ == "__main__":
    main(sys.argv[1])
