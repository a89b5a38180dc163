"""The record of what a run has really shown: a file beside its checkpoints."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Protocol

from collapse_guard.atomic import create_atomically, read_json, write_atomically
from collapse_guard.errors import bad_argument
from collapse_guard.statistics.json_forms import Part

LEDGER_NAME = "mix_ledger.json"
_NUMBERED = "mix_ledger-{}.json"

_FORMAT = "collapse_guard mix ledger"
_VERSION = 1

_PARTS = (
    "format",
    "version",
    "step",
    "passes_before",
    "slots",
    "slots_per_pass",
    "filled_up",
    "total",
    "pass",
    "whole_pass",
)


class Report(Protocol):
    """What some slots show."""

    def to_dict(self) -> dict[str, Any]:
        """As plain data, with a list `sources` of dicts."""


class Reported(Protocol):
    """A mixed stream that can tell what its first slots show: `MixGuard` or `MixStream`."""

    def report(self, slots: int) -> Report:
        """What the first `slots` slots show."""


@dataclass(frozen=True)
class Shown:
    """How far a run has read a mixed stream.

    Attributes:
        passes: Times that the run has gone through the whole stream before: 0 in a run of one
            epoch, as is advised. Each pass shows the same rows in the same order.
        slots: Slots of the pass that has begun, or is just done.
        filled_up: First slots that were shown once more at the end of a pass, because the
            framework filled up the last batch from the start of the stream.
        times_filled_up: How many passes that happened in.
        slots_per_pass: Slots that a whole pass shows: fewer than there are where a framework drops
            a short last batch. None where the stream has no known end.
    """

    passes: int
    slots: int
    slots_per_pass: int | None = None
    filled_up: int = 0
    times_filled_up: int = 0


def slots_shown(
    steps: int,
    *,
    slots_per_batch: int,
    accumulation: int,
    batches: int | None,
    length: int | None,
    fills_up: bool = False,
) -> Shown:
    """How far optimizer steps have read a mixed stream.

    The last step of a pass may be of fewer batches than the others, and its last batch short.

    Args:
        steps: Optimizer steps so far, from 0.
        slots_per_batch: Rows of one batch of all processes together.
        accumulation: Batches of an optimizer step.
        batches: Batches of a pass; None where the stream has no known end.
        length: Slots of a pass, likewise.
        fills_up: Whether a short last batch is filled up from the start of the stream.

    Example:
        >>> shown = slots_shown(2, slots_per_batch=8, accumulation=2, batches=3, length=20)
        >>> shown.passes, shown.slots
        (0, 20)
        >>> shown = slots_shown(3, slots_per_batch=8, accumulation=2, batches=3, length=20)
        >>> shown.passes, shown.slots
        (1, 16)
    """
    if batches is None or length is None:
        return Shown(0, steps * accumulation * slots_per_batch)
    slots_per_pass = min(batches * slots_per_batch, length)
    if not steps:
        return Shown(0, 0, slots_per_pass)
    steps_per_pass = max(1, -(-batches // accumulation))
    # A pass that is just done is not yet counted as one before.
    passes, step = divmod(steps - 1, steps_per_pass)
    read = min((step + 1) * accumulation, batches)
    filled_up = max(0, batches * slots_per_batch - length) if fills_up else 0
    return Shown(
        passes,
        min(read * slots_per_batch, length),
        slots_per_pass,
        filled_up,
        (passes + (read == batches)) if filled_up else 0,
    )


def ledger_of(
    stream: Reported, shown: Shown, *, step: int, run: str | None = None
) -> dict[str, Any]:
    """What a run has shown, as plain data: a figure of the plan and of how far it was read.

    Args:
        stream: The mixed stream.
        shown: How far the run has read it.
        step: Optimizer steps so far.
        run: What tells this run, with its resumed parts, from others that write into one folder.

    Returns:
        A dict with these keys:

        * `pass`: the report on the first `slots` slots, which the latest pass has shown, with
          `passes_before` others before it;
        * `whole_pass`: the report on a whole pass, where there was one before, else None;
        * `total`: over all passes, `slots`, `human_share`, and for each of `sources` by name what
          was `shown` of it, how many different rows (`unique`), and how many of them more than once
          (`repeated`); None where reports on parts do not say it.
    """
    current = stream.report(shown.slots).to_dict()
    parts = [(1, current)]
    if shown.passes and shown.slots_per_pass is not None:
        parts.append((shown.passes, stream.report(shown.slots_per_pass).to_dict()))
    if shown.times_filled_up:
        parts.append((shown.times_filled_up, stream.report(shown.filled_up).to_dict()))
    return {
        "format": _FORMAT,
        "version": _VERSION,
        "run": run,
        "step": step,
        "passes_before": shown.passes,
        "slots": shown.slots,
        "slots_per_pass": shown.slots_per_pass,
        "filled_up": shown.filled_up * shown.times_filled_up,
        "total": _total(parts, shown),
        "pass": current,
        "whole_pass": parts[1][1] if shown.passes else None,
    }


def _total(parts: Sequence[tuple[int, Mapping[str, Any]]], shown: Shown) -> dict[str, Any]:
    sources = {}
    for number, source in enumerate(parts[0][1]["sources"]):
        # A whole pass, where there was one, shows every row that any part of it shows.
        widest = parts[min(shown.passes, 1)][1]["sources"][number]
        repeated = None
        if len(parts) == 1:
            repeated = widest.get("repeated")
        elif shown.passes > 1:
            repeated = widest.get("unique")
        sources[source["name"]] = {
            "kind": source["kind"],
            "generation": source["generation"],
            "decoding": source["decoding"],
            "shown": sum(times * part["sources"][number]["shown"] for times, part in parts),
            "unique": widest.get("unique"),
            "repeated": repeated,
        }
    slots = sum(source["shown"] for source in sources.values())
    human = sum(source["shown"] for source in sources.values() if source["kind"] == "human")
    return {"slots": slots, "human_share": human / max(slots, 1), "sources": sources}


def write_ledger(
    folder: str | os.PathLike[str], ledger: Mapping[str, Any], *, replace: bool = False
) -> Path:
    """Write a ledger into a folder, so that a kill at any moment leaves the old one or the new one.

    The ledger of another run stays as it is, also where both run at the same time.

    Args:
        folder: Where to; made where it is missing.
        ledger: As from `ledger_of`.
        replace: Whether it is written over that of another run, as in a checkpoint that was.

    Returns:
        The file's path: `mix_ledger.json` in that folder, or `mix_ledger-2.json` and so on where
        that is the ledger of another run.
    """
    content = json.dumps(ledger, indent=1, allow_nan=False) + "\n"
    for number in count(1):
        path = Path(folder) / (LEDGER_NAME if number == 1 else _NUMBERED.format(number))
        if not replace and create_atomically(path, content):
            break
        if replace or _run_of(path, ledger.get("run")) == ledger.get("run"):
            write_atomically(path, content)
            break
    return path


def _run_of(path: Path, own: str | None) -> str | None:
    """The run that a ledger is of; what is no whole ledger is one's own, to be written anew."""
    try:
        found = read_json(path)
    except (OSError, ValueError):
        return own
    is_ledger = isinstance(found, dict) and found.get("format") == _FORMAT
    return found.get("run") if is_ledger else own


def read_ledger(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a ledger; plain `json.load` does as well.

    Args:
        path: The file, or the folder that holds it, such as a checkpoint's.

    Raises:
        ArgumentError: The file is no ledger, or of a later version; or the folder holds those of
            several runs.
        OSError: There is no such file.
    """
    file = Path(path)
    if file.is_dir():
        names = sorted(each.name for each in file.glob(_NUMBERED.format("*")))
        if (file / LEDGER_NAME).exists():
            names.insert(0, LEDGER_NAME)
        if len(names) > 1:
            raise bad_argument(
                "path",
                expected="the ledger of one run",
                given=f"a folder with {', '.join(names)}",
                hint="give the file of the run that you mean",
            )
        file /= names[0] if names else LEDGER_NAME
    try:
        ledger = read_json(file)
    except ValueError:
        ledger = None
    found = ledger if isinstance(ledger, dict) else {}
    if not is_ledger(found):
        raise bad_argument(
            "path",
            expected=f"a {_FORMAT} of version {_VERSION}",
            given=str(file),
            hint="give a file that a MixLedgerCallback of this version, or an earlier one, wrote",
        )
    check_ledger(Part(f"{file}: ledger", found, hint="delete the file, which a run writes anew"))
    return found


def is_ledger(told: Mapping[str, Any]) -> bool:
    """Whether a mapping says that it is a ledger of this version."""
    return (told.get("format"), told.get("version")) == (_FORMAT, _VERSION)


def check_ledger(ledger: Part) -> None:
    """Refuse a ledger that does not add up."""
    # Earlier releases did not say which run it was.
    parts = ledger.keys(*_PARTS, optional=("run",))
    if ledger.value.get("run") is not None:
        parts["run"].text()
    counts = ("step", "passes_before", "slots", "filled_up")
    _, passes, slots, _ = (parts[name].whole() for name in counts)
    if parts["slots_per_pass"].value is not None:
        slots_per_pass = parts["slots_per_pass"].whole()
        parts["slots"].check(slots <= slots_per_pass, f"at most {slots_per_pass} slots of a pass")
    parts["pass"].plain()
    _check_report(parts["pass"], slots)
    if passes:
        _check_report(parts["whole_pass"], None)
    else:
        parts["whole_pass"].check(parts["whole_pass"].value is None, "none before a first pass")
    total = parts["total"].keys("slots", "human_share", "sources")
    shown = human = 0
    for source in total["sources"].entries().values():
        told = source.keys("kind", "generation", "decoding", "shown", "unique", "repeated")
        told["decoding"].plain()
        for name in ("unique", "repeated"):
            if told[name].value is not None:
                told[name].whole(most=told["shown"].whole())
        shown += told["shown"].whole()
        is_human = told["kind"].text() == "human"
        human += told["shown"].whole() if is_human else 0
        told["generation"].check(
            told["generation"].value is None or told["generation"].whole() >= 0, "a generation"
        )
    total["slots"].check(total["slots"].whole() == shown, f"{shown}, as its sources have")
    share = human / max(shown, 1)
    total["human_share"].check(total["human_share"].number() == share, f"{share}")


def _check_report(report: Part, slots: int | None) -> None:
    parts = report.entries()
    report.check({"slots", "human_share", "sources"} <= set(parts), "a report with its sources")
    told, shown = parts["slots"].whole(), 0
    parts["slots"].check(slots in (None, told), f"{slots}, as the ledger has")
    parts["human_share"].number(least=0.0, most=1.0)
    for source in parts["sources"].items():
        count = source.entries().get("shown")
        source.check(count is not None, "a source with what was shown of it")
        shown += 0 if count is None else count.whole()
    parts["sources"].check(shown == told, f"sources that have shown {told} in all")
