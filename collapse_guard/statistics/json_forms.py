"""Checks of states and files in plain JSON types, which say where what is wrong stands."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from collapse_guard.errors import ArgumentError, bad_argument

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LARGEST = 1e100
"""No number in a state is farther from 0, so that squares and their sums stay finite."""

MOST = 2**62
"""No whole number in a state is larger, so that sums of two leave no int64."""

DEEPEST = 64
"""Lists and mappings within each other, where a state may hold anything."""

_AS_WRITTEN = "start the run anew, or resume it with a whole state that this release wrote"


@dataclass(frozen=True)
class Part:
    """A value in a state, and where it stands there.

    Every check returns plain values and raises `ArgumentError`, which names the part by its path,
    and changes nothing. So a state is checked as a whole before any of it is taken in.

    Attributes:
        path: Such as `state["rotation"]["ages"][3]`; of a whole state the argument's name.
        value: What stands there.
        hint: What to do where it is wrong.

    Example:
        >>> state = Part("state", {"step": 3, "costs": [0.5, -1.0]})
        >>> parts = state.keys("step", "costs")
        >>> parts["step"].whole(), [cost.path for cost in parts["costs"].items()]
        (3, ['state["costs"][0]', 'state["costs"][1]'])
        >>> parts["costs"].numbers(2, least=0.0)
        Traceback (most recent call last):
        collapse_guard.errors.ArgumentError: argument `state["costs"][1]` expected a finite number \
of at least 0, but got -1.0: start the run anew, or resume it with a whole state that this release \
wrote.
    """

    path: str
    value: Any
    hint: str = _AS_WRITTEN

    def wrong(self, expected: str) -> ArgumentError:
        """What it is told that gave something else."""
        return bad_argument(self.path, expected=expected, given=_shown(self.value), hint=self.hint)

    def check(self, fits: bool, expected: str) -> None:
        """Refuse it where it does not fit to what else there is."""
        if not fits:
            raise self.wrong(expected)

    def keys(self, *names: str, optional: Iterable[str] = ()) -> dict[str, "Part"]:
        """The parts of a mapping that has all of these keys, may have others, and has no more.

        Args:
            names: Those that it must have.
            optional: Those that it may have beside them; what is absent is absent in the result.
        """
        parts = self.entries()
        missing = [name for name in names if name not in parts]
        unknown = [name for name in parts if name not in {*names, *optional}]
        if missing or unknown:
            listed = ", ".join(missing or unknown)
            raise bad_argument(
                self.path,
                expected=f"a mapping with {', '.join(names) or 'no keys'}",
                given=f"one {'without' if missing else 'with'} {listed[:200]}",
                hint=self.hint,
            )
        return parts

    def entries(self) -> dict[str, "Part"]:
        """The parts of a mapping from any text."""
        if not isinstance(self.value, Mapping):
            raise self.wrong("a mapping")
        for key in self.value:
            if not isinstance(key, str):
                raise self.wrong("a mapping whose keys are text")
        return {
            key: Part(f'{self.path}["{key[:80]}"]', value, self.hint)
            for key, value in self.value.items()
        }

    def items(self, length: int | None = None, *, most: int | None = None) -> list["Part"]:
        """The parts of a list, of so many things where that is known."""
        size = "" if length is None else f" of {length}"
        if most is not None:
            size = f" of at most {most}"
        if not isinstance(self.value, list | tuple):
            raise self.wrong(f"a list{size}")
        if length not in (None, len(self.value)) or (most is not None and len(self.value) > most):
            raise self.wrong(f"a list{size}")
        return [
            Part(f"{self.path}[{place}]", value, self.hint)
            for place, value in enumerate(self.value)
        ]

    def number(self, *, least: float = -LARGEST, most: float = LARGEST, or_none: str = "") -> float:
        """A finite number in a range.

        Args:
            least: The smallest that is allowed.
            most: The largest that is allowed.
            or_none: Which numbers that are not finite may stand there too: "nan", "inf", or both.
        """
        # Compared with a float32, the limits would be rounded to one.
        value = self.value.item() if isinstance(self.value, np.number) else self.value
        is_number = isinstance(value, float | int)
        if not is_number or _is_flag(value):
            raise self.wrong(f"{_finite(least, most)}{_or_else(or_none)}")
        if not (_is_among(value, or_none) or least <= value <= most):
            raise self.wrong(f"{_finite(least, most)}{_or_else(or_none)}")
        return float(value)

    def whole(self, *, least: int = 0, most: int = MOST) -> int:
        """A whole number in a range."""
        value = self.value
        is_whole = isinstance(value, int | np.integer) and not _is_flag(value)
        if not is_whole or not least <= value <= most:
            raise self.wrong(f"a whole number from {least} to {most}")
        return int(value)

    def flag(self) -> bool:
        """True or false."""
        if not isinstance(self.value, bool):
            raise self.wrong("true or false")
        return self.value

    def text(self, *, among: Iterable[str] | None = None) -> str:
        """A text, one of a few where they are given."""
        allowed = None if among is None else list(among)
        if not isinstance(self.value, str) or (allowed is not None and self.value not in allowed):
            raise self.wrong("text" if allowed is None else f"one of {allowed}")
        return self.value

    def numbers(self, *shape: int, least: float = -LARGEST, most: float = LARGEST) -> Floats:
        """Finite numbers in a range: float64 of this shape.

        Args:
            shape: How many of each dimension; -1 in place of the first one for any number.
            least: The smallest that is allowed.
            most: The largest that is allowed.
        """
        first, *inner = shape
        if inner:
            items = self.items(None if first < 0 else first)
            rows = [item.numbers(*inner, least=least, most=most) for item in items]
            return np.array(rows, dtype=np.float64).reshape(len(items), *inner)
        quick = _array(self.value, first, {int, float}, np.float64, least, most)
        if quick is not None:
            return quick
        items = self.items(None if first < 0 else first)
        return np.array([item.number(least=least, most=most) for item in items], dtype=np.float64)

    def wholes(self, length: int = -1, *, least: int = 0, most: int = MOST) -> Ints:
        """Whole numbers in a range: int64 of shape (length,), any length where it is -1."""
        quick = _array(self.value, length, {int}, np.int64, least, most)
        if quick is not None:
            return quick
        items = self.items(None if length < 0 else length)
        return np.array([item.whole(least=least, most=most) for item in items], dtype=np.int64)

    def plain(self, *, depth: int = DEEPEST) -> Any:
        """Anything of plain JSON types, in which NaN and infinity may stand too."""
        if isinstance(self.value, Mapping | list | tuple):
            if not depth:
                raise self.wrong(f"lists and mappings in no more than {DEEPEST} others")
            if isinstance(self.value, Mapping):
                return {key: part.plain(depth=depth - 1) for key, part in self.entries().items()}
            return [part.plain(depth=depth - 1) for part in self.items()]
        if self.value is not None and not isinstance(self.value, str | bool | int | float):
            raise self.wrong("plain JSON types")
        return self.value


class RestoredWhole(ABC):
    """What goes on from a state wholly, or not at all."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` has said.

        Raises:
            ArgumentError: It is no such state; nothing is changed then.
        """
        self.restoring(Part("state", state))()

    @abstractmethod
    def restoring(self, state: Part) -> Callable[[], None]:
        """Check a state, and return what goes on from it.

        Raises:
            ArgumentError: As `load_state_dict`.
        """


def _array(
    value: Any, length: int, kinds: set[type], dtype: type, least: float, most: float
) -> npt.NDArray[Any] | None:
    """A list as an array, without looking at each item by itself; None where one may be wrong."""
    if not isinstance(value, list) or length not in (-1, len(value)):
        return None
    if not set(map(type, value)) <= kinds:
        return None
    try:
        numbers: npt.NDArray[Any] = np.array(value, dtype=dtype)
    except OverflowError:
        return None
    # What is NaN is in no range.
    return numbers if bool(((least <= numbers) & (numbers <= most)).all()) else None


def _is_flag(value: object) -> bool:
    return isinstance(value, bool | np.bool_)


def _is_among(value: Any, or_none: str) -> bool:
    is_nan = "nan" in or_none and value != value
    return bool(is_nan or ("inf" in or_none and value in (math.inf, -math.inf)))


def _finite(least: float, most: float) -> str:
    if least > -LARGEST and most < LARGEST:
        return f"a finite number from {least:g} to {most:g}"
    if least > -LARGEST:
        return f"a finite number of at least {least:g}"
    return "a finite number" if most >= LARGEST else f"a finite number of at most {most:g}"


def _or_else(or_none: str) -> str:
    return {"": "", "nan": " or NaN", "inf": " or infinity"}.get(or_none, ", NaN or infinity")


def _shown(value: object) -> object:
    """What is told of a value: of a large one its kind, which is told in no time."""
    if isinstance(value, Mapping):
        return f"a mapping of {len(value)}"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    return value
