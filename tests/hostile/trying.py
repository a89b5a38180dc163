"""Calls targets with hostile arguments, in a child process that may hang or grow."""

import contextlib
import gc
import json
import logging
import os
import random
import resource
import select
import signal
import sys
import traceback
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from collapse_guard.errors import CollapseGuardError
from tests.hostile.target import Target
from tests.hostile.values import HOSTILE

SECONDS = 2.0
"""Of the processor's time, which a busy machine does not make more."""

MEGABYTES = 300
"""More than what the child has at its beginning."""

_PATIENCE = 240.0
"""Seconds without a word after which a child counts as hanging where no signal reaches it."""

_TRIALS_APART = 20
"""Between two times that what is left over is cleared away."""

Change = tuple[str, str]
"""An argument's name, and that of the value which takes its place."""


class _TooLong(BaseException):
    """No `Exception`, so that nothing takes it for a failure of its own."""


@dataclass(frozen=True)
class Trial:
    """What one call came to.

    Attributes:
        target: Name of the target.
        changes: What was hostile about it.
        outcome: "result", "ours", "bare", "hung" or "memory".
        told: Of a bare error what and where it is; of our own its message.
    """

    target: str
    changes: tuple[Change, ...]
    outcome: str
    told: str


def all_changes(target: Target, chance: random.Random) -> list[tuple[Change, ...]]:
    """Each hostile value for each argument, in an order that chance picks."""
    changes = [((name, value),) for name in target.good() for value in HOSTILE]
    chance.shuffle(changes)
    return list(changes)


def pairs(target: Target, chance: random.Random) -> Iterator[tuple[Change, ...]]:
    """Two arguments at once, for as long as is asked; none where there is only one."""
    names = list(target.good())
    values = list(HOSTILE)
    while len(names) > 1:
        yield tuple((name, chance.choice(values)) for name in chance.sample(names, 2))


def attempt(target: Target, changes: Sequence[Change]) -> Trial:
    """One call in this process, without a watch on it."""
    given = target.good()
    given.update({name: HOSTILE[value]() for name, value in changes})
    outcome, told = "result", ""
    try:
        target.call(**given)
    except CollapseGuardError as error:
        outcome, told = "ours", str(error)
    except target.documented:
        outcome = "ours"
    except _TooLong:
        outcome = "hung"
    except MemoryError:
        outcome = "memory"
    except BaseException as error:
        outcome, told = "bare", _where(error)
        if "allocate memory" in told:
            outcome = "memory"
    return Trial(target.name, tuple(changes), outcome, told)


def attempts(target: Target, wanted: Sequence[Sequence[Change]]) -> list[Trial]:
    """Calls in children of this process, a new one wherever one hangs or dies."""
    trials: list[Trial] = []
    while len(trials) < len(wanted):
        trials += _in_child(target, wanted[len(trials) :])
    return trials


def _in_child(target: Target, wanted: Sequence[Sequence[Change]]) -> list[Trial]:
    receiver, sender = os.pipe()
    child = os.fork()
    if not child:
        os.close(receiver)
        try:
            _work(target, wanted, sender)
        finally:
            os._exit(0)
    os.close(sender)
    trials: list[Trial] = []
    with os.fdopen(receiver, "rb", buffering=0) as messages:
        waiting = b""
        while select.select([messages], [], [], _PATIENCE)[0] and (part := messages.read(65536)):
            *lines, waiting = (waiting + part).split(b"\n")
            trials += [
                Trial(target.name, tuple(wanted[len(trials) + place]), *json.loads(line))
                for place, line in enumerate(lines)
            ]
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    if len(trials) < len(wanted):
        trials.append(Trial(target.name, tuple(wanted[len(trials)]), "hung", "or died"))
    return trials


def _work(target: Target, wanted: Sequence[Sequence[Change]], sender: int) -> None:
    logging.disable()
    warnings.simplefilter("ignore")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno() if sys.stdout is sys.__stdout__ else 1)
    os.dup2(nowhere, 2)
    target.call(**target.good())
    _limit_memory()
    signal.signal(signal.SIGPROF, _stop)
    for number, changes in enumerate(wanted):
        if number % _TRIALS_APART == 0:
            # Models refer to themselves, and what many trials leave is not the next one's fault.
            gc.collect()
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        try:
            trial = attempt(target, changes)
        except _TooLong:
            trial = Trial(target.name, tuple(changes), "hung", "")
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        message = json.dumps([trial.outcome, trial.told[:500]]).encode() + b"\n"
        os.write(sender, message)


def _stop(*_: Any) -> None:
    raise _TooLong


def _limit_memory() -> None:
    with open("/proc/self/statm", encoding="ascii") as file:
        has = int(file.read().split()[0]) * resource.getpagesize()
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (has + MEGABYTES * 2**20, hard))


def _where(error: BaseException) -> str:
    """What was raised, and where the package was left for the last time."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "collapse_guard/" in frame.filename
        or any(part in frame.filename for part in ("/callbacks/", "/integrations/"))
    ]
    place = "outside"
    if frames:
        place = f"{'/'.join(frames[-1].filename.split('/')[-3:])}:{frames[-1].lineno}"
    try:
        text = str(error)[:200]
    except Exception:
        text = "?"
    return f"{type(error).__name__} at {place}: {text}"
