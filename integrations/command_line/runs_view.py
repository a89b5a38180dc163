"""Runs, as tables for a terminal, once or for as long as one goes on."""

import time
from collections.abc import Callable, Mapping

from collapse_guard import Look
from collapse_guard.extras import require
from collapse_guard.integrations.command_line.look_values import COLUMNS, shown_value
from collapse_guard.run_records.record import RunRecord

require("rich", "cli")

from rich.box import SIMPLE  # noqa: E402
from rich.console import Console, Group, RenderableType  # noqa: E402
from rich.live import Live  # noqa: E402
from rich.table import Table  # noqa: E402
from rich.text import Text  # noqa: E402

# A line for each look has no room for more.
_SHOWN = ("tail_retention", "head_retention", "perplexity", "free_distinct_2")

_LOOKS_SHOWN = 12


def is_alarmed(runs: Mapping[str, RunRecord]) -> bool:
    """Whether an alert that is more than "info" was raised in any of them."""
    return any(alert.is_alarm for run in runs.values() for alert in run.alerts)


def print_runs(console: Console, runs: Mapping[str, RunRecord]) -> None:
    """Print a line for each run, and how each went in words."""
    table = _table("run")
    for name, run in runs.items():
        if run.looks:
            table.add_row(Text(name, overflow="fold"), *_cells(run.looks[-1]))
    console.print(table)
    for name, run in runs.items():
        if len(runs) > 1:
            console.print(Text(name, style="bold"))
        for line in run.summary:
            console.print(Text(line, style="red" if line.startswith("ALARM") else ""))


def watch_run(
    console: Console, read: Callable[[], RunRecord], *, every: float, once: bool = False
) -> RunRecord:
    """Show a run until it ends, and read its file again every few seconds.

    Args:
        console: Where to.
        read: Reads the file.
        every: Seconds between two readings.
        once: Whether to show it as it is now, and be done.

    Returns:
        The run as it was shown last.
    """
    run = read()
    with Live(_live(run), console=console, auto_refresh=False) as live:
        while not (run.has_ended or once):
            time.sleep(every)
            run = read()
            live.update(_live(run), refresh=True)
    return run


def _live(run: RunRecord) -> RenderableType:
    table = _table("step")
    shown = run.looks[:1] + run.looks[1:][-_LOOKS_SHOWN:]
    for look in shown:
        style = "red" if look.alerts else "" if look.is_full else "dim"
        table.add_row(f"{look.step:,}", *_cells(look), style=style)
    lines = [Text(line, style="red" if line.startswith("ALARM") else "") for line in run.summary]
    return Group(table, *lines, Text("ended" if run.has_ended else "running", style="bold"))


def _table(first: str) -> Table:
    table = Table(first, box=SIMPLE)
    for title in (*(COLUMNS[name] for name in _SHOWN), "alarms"):
        table.add_column(title, justify="right")
    return table


def _cells(look: Look) -> list[str]:
    told = [alert for alert in look.alerts if alert.is_alarm]
    return [*(shown_value(look, name) for name in _SHOWN), str(len(told) or "")]
