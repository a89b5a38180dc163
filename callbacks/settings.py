"""What has to be the same on all processes that watch a run together."""

import hashlib
from collections.abc import Mapping

from collapse_guard.distributed import largest
from collapse_guard.errors import bad_argument
from collapse_guard.monitor.monitor import CollapseMonitor
from collapse_guard.readings.baseline import Baseline


def settings_of(monitor: CollapseMonitor, given: Baseline | None, step: int) -> dict[str, str]:
    """What a monitor's looks go by, as text, by the argument that says it.

    Args:
        monitor: The monitor.
        given: The start that the user gave it.
        step: The step that the run begins at.
    """
    start = "none" if given is None else _digest([given.tail_logprob, given.head_logprob])
    return {
        "panel": monitor.panel.fingerprint,
        "readings": ", ".join(monitor.reading_names),
        "rules": ", ".join(map(str, monitor.rules)),
        "baseline": start,
        "step": str(step),
    }


def check_same(settings: Mapping[str, str]) -> None:
    """Refuse settings that differ between processes: each would wait for what no other does.

    In a distributed run all processes must call it, with the same names.

    Args:
        settings: Text of any length by name.

    Raises:
        ArgumentError: They differ; names the first that does.
    """
    marks = [float(int(_digest(text), 16)) for text in settings.values()]
    both = [*marks, *(-mark for mark in marks)]
    highest = largest(both)
    for place, (name, text) in enumerate(settings.items()):
        if any(highest[at] != both[at] for at in (place, place + len(marks))):
            raise bad_argument(
                name,
                expected="the same on every process",
                given=f"others elsewhere, here {text}",
                hint="give all processes the same; a panel is made of all documents, before any "
                "are dealt out to them",
            )


def _digest(what: object) -> str:
    """As many hexadecimal digits as a float64 holds exactly."""
    return hashlib.blake2b(repr(what).encode(), digest_size=6).hexdigest()
