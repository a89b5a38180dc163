"""Reading objects of the caller's, which may be of another kind than they seem."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from itertools import islice
from types import TracebackType
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from collapse_guard.errors import CollapseGuardError, bad_argument

T = TypeVar("T")

_FAILURES = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BufferError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)

_LONGEST = 2**40
"""Members: no memory holds so many."""

_MOST_UNTOLD = 2**22
"""Members of what does not say how many it has, beyond which it may have no end."""

_PASS = (
    CollapseGuardError,
    torch.OutOfMemoryError,
    # What ails a device is no fault of an argument.
    getattr(torch, "AcceleratorError", torch.OutOfMemoryError),
)


def understood(
    name: str, given: object, *, expected: str, hint: str
) -> AbstractContextManager[None]:
    """A block that reads an object of the caller's: what fails there is the argument's fault.

    Only for the few lines in which nothing but that object can fail, so that no fault of the
    package's own looks like one of the caller's. Errors of the package pass as they are, and so
    does what no argument can help: memory that has run out, a file that is gone, an interrupt.

    Args:
        name: The argument's name.
        given: The object.
        expected: What it should have been, as a noun phrase.
        hint: What to do about it.

    Raises:
        ArgumentError: Anything else failed in the block; that is its cause.
    """
    return _Understood(name, given, expected, hint)


class _Understood(AbstractContextManager[None]):
    """A class, since it is entered for each document, and a generator takes three times as long."""

    __slots__ = ("_expected", "_given", "_hint", "_name")

    def __init__(self, name: str, given: object, expected: str, hint: str) -> None:
        self._name, self._given, self._expected, self._hint = name, given, expected, hint

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, _FAILURES) and not isinstance(error, _PASS):
            raise bad_argument(
                self._name, expected=self._expected, given=self._given, hint=self._hint
            ) from error


def members(name: str, given: Iterable[T], *, expected: str, hint: str) -> Iterator[T]:
    """What stands in an iterable of the caller's, one by one; arguments as of `understood`.

    Raises:
        ArgumentError: It cannot be gone through; what is done with its members may fail as it does.
    """
    # What fails between two members is raised outside of this generator.
    with understood(name, given, expected=expected, hint=hint):
        yield from given


def listed(name: str, given: Iterable[T], *, expected: str, hint: str) -> list[T]:
    """What stands in an iterable of the caller's, as a list; arguments as of `understood`.

    Raises:
        ArgumentError: It cannot be gone through, says that it is longer than any list, or says
            nothing of a length and has more than 2^22 members, so that it may have no end.
    """
    _refuse_endless(name, given, expected=expected, hint=hint)
    each = members(name, given, expected=expected, hint=hint)
    if hasattr(given, "__len__"):
        return list(each)
    found = list(islice(each, _MOST_UNTOLD + 1))
    if len(found) > _MOST_UNTOLD:
        hint = f"{hint}; where it is that long, give it as a list"
        raise bad_argument(name, expected=expected, given=given, hint=hint)
    return found


def as_array(
    name: str, given: Any, *, expected: str, hint: str, dtype: npt.DTypeLike | None = None
) -> npt.NDArray[Any]:
    """What numpy makes of an object of the caller's; arguments as of `understood`.

    Raises:
        ArgumentError: Numpy makes nothing of it, or it says that it is longer than any array.
    """
    _refuse_endless(name, given, expected=expected, hint=hint)
    with understood(name, given, expected=expected, hint=hint):
        return np.asarray(given, dtype=dtype)


def _refuse_endless(name: str, given: Any, *, expected: str, hint: str) -> None:
    """Refuse what numpy and `list` would ask for more memory than there is before they fail."""
    with understood(name, given, expected=expected, hint=hint):
        is_endless = hasattr(given, "__len__") and len(given) > _LONGEST
    if is_endless:
        raise bad_argument(name, expected=expected, given=given, hint=hint)
