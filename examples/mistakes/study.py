"""An experiment for some seeds: records as JSON, a table and a figure of them."""

import json
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from collapse_guard.atomic import write_atomically
from collapse_guard.errors import bad_argument
from collapse_guard.integrations.plots import figure_png

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Records = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Study:
    """An experiment, and how it is shown.

    Attributes:
        measure: From a seed, and whether it shall be quick, to records, which JSON can hold.
        table: Of the records of all seeds, in Markdown.
        draw: The figure of those.
    """

    measure: Callable[[int, bool], list[dict[str, Any]]]
    table: Callable[[Records], str]
    draw: Callable[[Records], "Figure"]


def run(name: str, study: Study, output: Path, seeds: Sequence[int], *, quick: bool) -> str:
    """Measure what is not in the folder yet, and write `NAME.md` and `NAME.png`.

    Args:
        name: Of the study.
        study: What it does.
        output: The folder, which gets a file of records for each seed too.
        seeds: At least one.
        quick: Seconds in place of minutes. Its records have names of their own, so that they are
            not taken for whole ones.

    Returns:
        The table.

    Raises:
        ArgumentError: A seed is given twice.
        MissingExtraError: A package is not installed.
    """
    if len(set(seeds)) < len(seeds):
        raise bad_argument(
            "seeds", expected="different ones", given=list(seeds), hint="each counts once"
        )
    records: list[dict[str, Any]] = []
    prefix = f"{name}-quick" if quick else name
    for seed in seeds:
        file = output / f"{prefix}-{seed}.json"
        if not file.exists():
            # Threads add numbers up in orders of their own.
            torch.set_num_threads(1)
            with _quiet():
                lines = [json.dumps(each) for each in study.measure(seed, quick)]
            write_atomically(file, "[\n" + ",\n".join(lines) + "\n]\n")
        records += json.loads(file.read_text(encoding="utf-8"))
    table = study.table(records)
    write_atomically(output / f"{prefix}.md", table)
    write_atomically(output / f"{prefix}.png", figure_png(study.draw(records)))
    return table


@contextmanager
def _quiet() -> Iterator[None]:
    # What this package reports of tiny panels is in the records.
    logger = logging.getLogger("collapse_guard")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "`gradient_checkpointing", FutureWarning)
            warnings.filterwarnings("ignore", "`is_gradient_checkpointing", FutureWarning)
            yield
    finally:
        logger.setLevel(level)
