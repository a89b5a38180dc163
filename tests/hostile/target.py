"""What is called with hostile arguments."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Target:
    """Something public, and arguments that it works with.

    Attributes:
        name: The public name, or with a dot a part of what has that name.
        call: Takes the arguments by name.
        good: Makes arguments that give a result; each of them is replaced in turn.
        documented: Errors of Python that its documentation promises, such as `KeyError`.
    """

    name: str
    call: Callable[..., object]
    good: Callable[[], dict[str, Any]]
    documented: tuple[type[Exception], ...] = ()
