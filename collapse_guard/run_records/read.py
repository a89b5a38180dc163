"""Reading what a run has written, also while it goes on."""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from collapse_guard.errors import bad_argument
from collapse_guard.monitor.look import Look
from collapse_guard.readings.at_positions import Floats
from collapse_guard.run_records.lines import look_of, run_of
from collapse_guard.run_records.record import RunRecord
from collapse_guard.statistics.json_forms import Part

ENDING = "_run.jsonl"
"""What the name of a run's file ends with; before it stands the name of what watches."""

MOST_BYTES = 1 << 28

_HINT = "give a file that a watched run wrote, or the folder that holds it"


def find_records(path: str | os.PathLike[str]) -> list[Path]:
    """The files of runs that a path stands for, in the order of their names.

    Args:
        path: A file, or a folder that holds some.

    Raises:
        ArgumentError: There is none.
    """
    given = Path(path)
    found = sorted(given.glob(f"*{ENDING}")) if given.is_dir() else [given]
    if not found or not found[0].is_file():
        raise bad_argument(
            "RUN",
            expected=f"a file that a watched run wrote, or a folder with one (*{ENDING})",
            given=os.fspath(path),
            hint="watch(...) writes it into the run's output folder",
        )
    return found


def read_record(path: str | os.PathLike[str]) -> RunRecord:
    """Read the file of a run, of which the last line may be cut short.

    Args:
        path: The file.

    Raises:
        ArgumentError: It is no such file, or a broken one.
        OSError: There is no file, or none that may be read.
    """
    if os.path.getsize(path) > MOST_BYTES:
        raise bad_argument(
            os.fspath(path), expected="a run's file", given="a larger one", hint=_HINT
        )
    lines = _lines(path)
    first = next(lines, None)
    if first is None:
        raise bad_argument(os.fspath(path), expected="a run's file", given="none", hint=_HINT)
    record = run_of(first)
    looks: list[Look] = []
    starts: list[tuple[int, Floats | None]] = [(-1, None)]
    for line in lines:
        seen = look_of(line)
        record = replace(
            record,
            summary=seen.summary,
            overhead=seen.overhead,
            has_ended=seen.has_ended,
            first_texts=record.first_texts or seen.texts,
            last_texts=seen.texts or record.last_texts,
            lost_words=seen.lost_words,
        )
        looks = _after(looks, seen.look)
        # A start that was taken anew after the step that a run was resumed at is not this run's.
        starts = [each for each in starts if each[0] <= seen.look.step]
        if seen.position_logprobs is not None:
            starts.append((seen.look.step, seen.position_logprobs))
    return replace(record, looks=tuple(looks), position_logprobs=starts[-1][1])


def _after(looks: list[Look], look: Look) -> list[Look]:
    """The looks of a run with one more, which may be one that was resumed at an earlier step."""
    before = [each for each in looks if each.step < look.step]
    raised = [alert for each in looks if each.step == look.step for alert in each.alerts]
    known = {alert.rule for alert in raised}
    news = [alert for alert in look.alerts if alert.rule not in known]
    return [*before, replace(look, alerts=(*raised, *news))]


def _lines(path: str | os.PathLike[str]) -> Iterator[Part]:
    name = os.fspath(path)
    # What is no text, or no number of JSON, is refused where it is looked at.
    for number, line in enumerate(Path(path).read_bytes().split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line.decode("utf-8", "replace"))
        except (RecursionError, ValueError) as error:
            if number > 1 and not line.endswith(b"}"):
                # The run was killed while it wrote this, or writes it just now.
                return
            raise bad_argument(
                f"{name}, line {number}", expected="a line of JSON", given="none", hint=_HINT
            ) from error
        yield Part(f"{name}, line {number}", value, _HINT)
