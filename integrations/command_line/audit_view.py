"""What an audit found, as tables for a terminal."""

from collapse_guard.audit import TextAudit
from collapse_guard.audit.comparison.coverage import Relative
from collapse_guard.audit.comparison.telling_runs import TellingRun
from collapse_guard.audit.comparison.text_audit_lines import (
    copies_line,
    coverage_name,
    ratio,
    share_line,
    size_line,
)
from collapse_guard.extras import require
from collapse_guard.integrations.command_line.audit import Temperatures

require("rich", "cli")

from rich.box import SIMPLE  # noqa: E402
from rich.console import Console, Group, RenderableType  # noqa: E402
from rich.table import Table  # noqa: E402
from rich.text import Text  # noqa: E402


def print_audit(console: Console, audit: TextAudit, temperatures: Temperatures) -> None:
    """Print the verdict first, and what it rests on."""
    console.print(
        Group(
            _verdict(audit),
            "",
            _coverage(audit),
            *(
                each
                for title, runs in (
                    ("Vanished", audit.runs.vanished),
                    ("Overused", audit.runs.overused),
                )
                for each in _runs(title, runs)
            ),
            *_lines(audit, temperatures),
        )
    )


def _verdict(audit: TextAudit) -> RenderableType:
    if audit.is_fit:
        return Text("Nothing speaks against training on this text.", style="bold green")
    lines = [Text("Not fit to be trained on alone:", style="bold red")]
    return Group(*lines, *(Text(f"- {finding}") for finding in audit.findings))


def _coverage(audit: TextAudit) -> Table:
    table = Table("Beside as much human text", "how often", "there are", "of human", box=SIMPLE)
    for found in audit.coverage:
        table.add_row(
            coverage_name(found),
            _colored(found.frequency, audit.share.target),
            f"{found.synthetic:.1%}",
            f"{found.human:.1%}",
        )
    return table


def _colored(found: Relative, target: float) -> Text:
    style = "red" if found.high < target else "yellow" if found.value < target else ""
    return Text(ratio(found), style=style)


def _runs(title: str, runs: tuple[TellingRun, ...]) -> list[RenderableType]:
    if not runs:
        return []
    table = Table(title, box=SIMPLE, caption="for each million words", caption_justify="left")
    table.add_column("human", justify="right")
    table.add_column("synthetic", justify="right")
    table.add_column("for example", no_wrap=True, overflow="ellipsis")
    for run in runs:
        # Texts, since square brackets of somebody's data are no markup.
        table.add_row(
            Text(run.words), f"{run.human:,.0f}", f"{run.synthetic:,.0f}", Text(run.example)
        )
    return ["", table]


def _lines(audit: TextAudit, temperatures: Temperatures) -> list[RenderableType]:
    lines = [
        "",
        share_line(audit.share),
        copies_line(audit.copies, is_sampled=audit.is_sampled),
        *(forms.sentence for forms in audit.forms),
        *(f"{kind}: {found.verdict}" for kind, found in temperatures.items()),
        size_line("human", audit.human),
        size_line("synthetic", audit.synthetic),
    ]
    return [Text(line) for line in lines]
