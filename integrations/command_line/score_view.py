"""What models keep, as a table for a terminal."""

from collapse_guard.extras import require
from collapse_guard.integrations.command_line.look_values import COLUMNS, shown_value
from collapse_guard.integrations.command_line.score import Scores, told
from collapse_guard.integrations.command_line.short_names import short_names

require("rich", "cli")

from rich.box import SIMPLE  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402
from rich.text import Text  # noqa: E402


def print_scores(console: Console, scores: Scores) -> None:
    """Print a line for each model, with 95% intervals where the first is compared with."""
    last = list(scores.looks.values())[-1]
    shown = [name for name in COLUMNS if name in last]
    table = Table("model", *(COLUMNS[name] for name in shown), box=SIMPLE)
    names = short_names(list(scores.looks))
    for name, look in zip(names, scores.looks.values(), strict=True):
        # Not markup: a path may hold square brackets.
        table.add_row(Text(name, overflow="fold"), *(shown_value(look, each) for each in shown))
    console.print(table)
    console.print(
        f"Beside the first model, on {scores.documents} documents that stand for themselves; in "
        "brackets 95% intervals."
    )
    for name, look in zip(names, scores.looks.values(), strict=True):
        if alerts := told(look):
            console.print(
                Text(f"{name}: {', '.join(alert.rule for alert in alerts)}.", style="red")
            )
            console.print(Text(f"  {alerts[0].explanation or alerts[0].message}"))
