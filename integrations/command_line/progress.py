"""How far a file has been read, on the terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from collapse_guard.extras import require
from collapse_guard.integrations.command_line.rows import Advance
from collapse_guard.integrations.command_line.texts import Texts

require("rich", "cli")

from rich.console import Console  # noqa: E402
from rich.progress import (  # noqa: E402
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)


@contextmanager
def reading(texts: Texts) -> Iterator[Iterator[str]]:
    """The texts, and a bar on stderr, where that is a terminal, that is gone when they are read.

    Args:
        texts: What is read.
    """
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        task = progress.add_task(f"reading {texts.name}", total=texts.size)
        yield texts.read(_advancing(progress, task))


def _advancing(progress: Progress, task: object) -> Advance:
    advance: Callable[..., object] = progress.advance
    return lambda count: advance(task, count)
