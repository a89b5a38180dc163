"""Runs by name: what callbacks and ledgers have written into their folders."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from collapse_guard.errors import CollapseGuardError
from collapse_guard.integrations.command_line.short_names import short_names
from collapse_guard.mixing.reports.ledger import read_ledger
from collapse_guard.run_records.decodings import decoding_values
from collapse_guard.run_records.read import find_records, read_record
from collapse_guard.run_records.record import RunRecord
from collapse_guard.run_records.words import words_values
from collapse_guard.statistics.json_values import without_nan


def runs_of(given: Sequence[str]) -> dict[str, RunRecord]:
    """What runs have written down, by names that tell them apart.

    Args:
        given: Files of runs, or folders that hold some.

    Raises:
        ArgumentError: There is none, or a broken one.
    """
    paths = [path for name in given for path in find_records(name)]
    names = short_names([path.as_posix() for path in paths])
    if len(paths) == 1:
        named = Path(given[0]).resolve()
        names = [named.name if named.is_dir() else named.parent.name]
    return {name: read_record(path) for name, path in zip(names, paths, strict=True)}


def run_as_dict(run: RunRecord) -> dict[str, Any]:
    """What a run came to, for JSON: its last look, alerts and words, and what it was matched to."""
    last = run.looks[-1] if run.looks else None
    plain: dict[str, Any] = without_nan(
        {
            "step": None if last is None else last.step,
            "values": {} if last is None else dict(last),
            "standard_errors": {} if last is None else dict(last.standard_errors),
            "alerts": [asdict(alert) for alert in run.alerts],
            "summary": run.summary,
            "has_ended": run.has_ended,
            "decodings": [decoding_values(each) for each in run.decodings],
            "lost_words": None if run.lost_words is None else words_values(run.lost_words),
        }
    )
    return plain


def ledgers_of(given: Sequence[str], runs: Mapping[str, RunRecord]) -> dict[str, dict[str, Any]]:
    """The ledgers that lie beside runs, where a folder holds one run and one ledger."""
    found = {}
    if len(given) == len(runs):
        for name, path in zip(runs, given, strict=True):
            folder = Path(path) if Path(path).is_dir() else Path(path).parent
            try:
                found[name] = read_ledger(folder)
            except (CollapseGuardError, OSError):
                # Most runs have none.
                continue
    return found
