"""The looks of runs as comma-separated values, for a spreadsheet."""

import csv
import io
from collections.abc import Mapping

from collapse_guard.run_records.record import RunRecord

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def run_table(runs: Mapping[str, RunRecord]) -> str:
    """A line for each look: run, step, whether it was of the whole panel, and every reading.

    A cell of text that a spreadsheet would take for a formula has an apostrophe before it.

    Args:
        runs: By what they are called.
    """
    names = list(dict.fromkeys(n for run in runs.values() for look in run.looks for n in look))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    columns = [*names, *(f"{name}_se" for name in names)]
    writer.writerow(["run", "step", "is_full", *map(_text, columns), "alerts"])
    for run, record in runs.items():
        for look in record.looks:
            values = [each.get(n, "") for each in (look, look.standard_errors) for n in names]
            told = "; ".join(alert.rule for alert in look.alerts)
            writer.writerow([_text(run), look.step, look.is_full, *values, _text(told)])
    return out.getvalue()


def _text(value: str) -> str:
    return f"'{value}" if value.startswith(_FORMULA) else value
