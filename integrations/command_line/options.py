"""What commands share: options, exit codes, and JSON."""

import json
from enum import StrEnum
from typing import Annotated, Any

from collapse_guard.extras import require

require("typer", "cli")

import typer  # noqa: E402

FOUND, WRONG = 1, 2
"""Exit codes beside 0: something was found that speaks against it, and an argument is wrong."""


class SplitAt(StrEnum):
    """Where text files are split."""

    LINE = "line"
    PARAGRAPH = "paragraph"


AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object, and nothing else.")]
Column = Annotated[str | None, typer.Option(help="With the texts; what is called so, if left out.")]
Split = Annotated[str, typer.Option(help="Of data sets that have several.")]
SplitText = Annotated[
    SplitAt | None, typer.Option(help="Of text files; as the file looks, if left out.")
]


def print_json(values: dict[str, Any]) -> None:
    """Print one object, and nothing else.

    Args:
        values: Plain values, none of them NaN.
    """
    typer.echo(json.dumps(values, ensure_ascii=False, allow_nan=False))
