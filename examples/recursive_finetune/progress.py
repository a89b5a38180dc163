"""Progress bars, all in one manner."""

from collections.abc import Iterable
from typing import Any

from tqdm.auto import tqdm


def progress_bar(
    label: str, items: Iterable[Any] | None = None, *, total: int | None = None, shown: bool = True
) -> "tqdm[Any]":
    """A bar that goes away when it is full.

    Not shown in a log file either, where every refresh would be a line: only on a terminal.

    Args:
        label: What is going on.
        items: To be gone through.
        total: How many steps there are, where there are no items.
        shown: False on all processes but the main one.
    """
    hidden = None if shown else True
    return tqdm(items, label, total=total, leave=False, disable=hidden, mininterval=0.5)
