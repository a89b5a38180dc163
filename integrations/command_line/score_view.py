"""What models keep, as a table for a terminal."""

from collapse_guard import Look
from collapse_guard.extras import require
from collapse_guard.integrations.command_line.score import COLUMNS, Scores, told

require("rich", "cli")

from rich.box import SIMPLE  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402
from rich.text import Text  # noqa: E402

_Z = 1.96


def print_scores(console: Console, scores: Scores) -> None:
    """Print a line for each model, with 95% intervals where the first is compared with."""
    last = list(scores.looks.values())[-1]
    shown = [name for name in COLUMNS if name in last]
    table = Table("model", *(COLUMNS[name] for name in shown), box=SIMPLE)
    names = short_names(list(scores.looks))
    for name, look in zip(names, scores.looks.values(), strict=True):
        # Not markup: a path may hold square brackets.
        table.add_row(Text(name, overflow="fold"), *(_value(look, each) for each in shown))
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


def short_names(names: list[str]) -> list[str]:
    """Paths without the folders that all of them have in common.

    Example:
        >>> short_names(["runs/a/model", "runs/b/model"])
        ['a', 'b']
    """
    parts = [name.split("/") for name in names]
    if len(names) < 2 or len(set(names)) < len(names):
        return names
    for place in (0, -1):
        while min(map(len, parts)) > 1 and len({each[place] for each in parts}) == 1:
            for each in parts:
                del each[place]
    return ["/".join(each) for each in parts]


def _value(look: Look, name: str) -> str:
    value = look.get(name)
    if value is None:
        return "-"
    text = f"{value:.0%}" if name.endswith("_retention") else f"{value:.4g}"
    low, high = look.interval(name, z=_Z)
    if not name.endswith("_retention") or low == high:
        return text
    return f"{text}\n({low:.0%} to {high:.0%})"
