"""Reading objects of the caller's, which may be of another kind than they seem."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch

from collapse_guard.errors import CollapseGuardError, bad_argument

T = TypeVar("T")

_PASS = (
    CollapseGuardError,
    torch.OutOfMemoryError,
    # What ails a device is no fault of an argument.
    getattr(torch, "AcceleratorError", torch.OutOfMemoryError),
)


@contextmanager
def understood(name: str, given: object, *, expected: str, hint: str) -> Iterator[None]:
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
    try:
        yield
    except _PASS:
        raise
    except (
        ArithmeticError,
        AssertionError,
        AttributeError,
        BufferError,
        LookupError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        raise bad_argument(name, expected=expected, given=given, hint=hint) from error


def members(name: str, given: Iterable[T], *, expected: str, hint: str) -> Iterator[T]:
    """What stands in an iterable of the caller's, one by one; arguments as of `understood`.

    Raises:
        ArgumentError: It cannot be gone through; what is done with its members may fail as it does.
    """
    # What fails between two members is raised outside of this generator.
    with understood(name, given, expected=expected, hint=hint):
        yield from given
