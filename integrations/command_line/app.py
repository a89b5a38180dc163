"""The program: its commands, and what it says of itself."""

from collapse_guard.extras import require
from collapse_guard.integrations.command_line.run_commands import compare, init, report, watch
from collapse_guard.integrations.command_line.text_commands import audit, score

require("typer", "cli")

import typer  # noqa: E402

app = typer.Typer(
    name="collapse-guard",
    help="See model collapse: in data before training, in models, and in runs.",
    epilog="Exit codes: 0 nothing found, 1 found, 2 an argument is wrong.",
    add_completion=False,
    # Paragraphs of a docstring are then paragraphs, however wide the terminal is.
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
for command in (audit, score, report, compare, watch, init):
    app.command()(command)
