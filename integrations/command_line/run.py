"""One run of the command line, from its arguments to its exit code."""

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from collapse_guard.extras import require
from collapse_guard.integrations.command_line.app import app
from collapse_guard.integrations.command_line.options import WRONG

require("typer", "cli")

import typer  # noqa: E402

# Newer releases of typer have a click of their own, which is not the one that can be imported.
_UsageError: Any = typer.BadParameter.__base__


def run(arguments: Sequence[str]) -> int:
    """Run a command.

    Args:
        arguments: Without the program's name.

    Returns:
        The exit code: 0, 1 where something was found, 2 where the arguments are wrong, 130 where
        somebody stopped it.

    Raises:
        CollapseGuardError: What a command was given cannot work.
    """
    # Bars of a library that loads weights say nothing here, and spoil what is printed.
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    command = typer.main.get_command(app)
    try:
        with _quiet():
            code = command.main(
                list(arguments or ["--help"]), prog_name="collapse-guard", standalone_mode=False
            )
    except _UsageError as error:
        message = " ".join(error.format_message().split())
        typer.echo(f"error: {message} (see collapse-guard --help)", err=True)
        return WRONG
    except (typer.Abort, KeyboardInterrupt):
        typer.echo("stopped", err=True)
        return 130
    return code if isinstance(code, int) else 0


@contextmanager
def _quiet() -> Iterator[None]:
    """What a monitor tells of itself is for runs; commands print what they have to say."""
    logger = logging.getLogger("collapse_guard")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
