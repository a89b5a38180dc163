"""`collapse-guard demo`: the recursive example, from an installed package."""

from pathlib import Path
from typing import Annotated

from collapse_guard.extras import require

require("typer", "cli")

import typer  # noqa: E402


def demo(
    output: Annotated[
        Path, typer.Option(help="A folder for results, figures and the report.", file_okay=False)
    ] = Path("collapse-demo"),
    preset: Annotated[
        str, typer.Option(help='"laptop" takes 5 minutes on two cores, "smoke" half a minute.')
    ] = "laptop",
) -> None:
    """See a model collapse, and be kept from it: offline, on two CPU cores.

    Pre-trains a small model on Python's own documentation, fine-tunes it on what it wrote, again
    and again, and writes figures and a report. Goes on where it was stopped.
    """
    from collapse_guard.examples.recursive_finetune.experiment import run
    from collapse_guard.examples.recursive_finetune.presets import parse

    run(parse(["--preset", preset, "--output-dir", str(output)]))
