"""Whom a filter hits, asked of a bounded part of rows without end."""

from typing import Any

import numpy as np
import numpy.typing as npt

from collapse_guard.arguments import a, whole_number
from collapse_guard.audit.exact_duplicates import Keys
from collapse_guard.audit.filters.rejection import RejectionReport, as_numbers, rejection_by_rarity
from collapse_guard.errors import bad_argument
from collapse_guard.statistics.json_forms import Part

Floats = npt.NDArray[np.floating[Any]]

_PENDING = 1 << 16
_WANTED = {
    "expected": "a key, a weight and a rarity of each row",
    "hint": "give identity_keys, weights and row_rarity of the same rows",
}


class RejectionSample:
    """Weights and rarity of rows drawn by their contents, a content once.

    Of all rows those whose keys are lowest are kept: a fair sample of contents, the same in
    whatever order and in whatever parts rows come. It takes 24 bytes a row that is kept.

    Args:
        rows: How many to keep at most, at least 1,000.

    Raises:
        ArgumentError: It is no such number.

    Example:
        >>> keys = np.arange(4_000, dtype=np.uint64)
        >>> sample = RejectionSample()
        >>> sample.extend(keys, np.ones(4_000), np.linspace(2, 9, 4_000))
        >>> sample.report().rate
        0.0
    """

    def __init__(self, rows: int = 100_000) -> None:
        self._room = whole_number("rows", rows, least=1_000, hint="100,000 is the default")
        self._keys: Keys = np.zeros(0, np.uint64)
        self._told = np.zeros((0, 2))
        self._pending: list[tuple[Keys, npt.NDArray[np.float64]]] = []

    def __len__(self) -> int:
        """Rows that are in the sample."""
        self._settle()
        return len(self._keys)

    def extend(self, keys: Keys, weights: Floats, rarity: Floats) -> None:
        """Take in more rows.

        Args:
            keys: uint64 of shape (rows,), as `identity_keys` has them.
            weights: float of shape (rows,), from 0 (rejected) to 1 (kept).
            rarity: float of shape (rows,), in bits.

        Raises:
            ArgumentError: Shapes that differ, or a value out of range.
        """
        told = [as_numbers("weights", weights), as_numbers("rarity", rarity)]
        if not isinstance(keys, np.ndarray) or keys.dtype != np.uint64:
            raise bad_argument("keys", given=keys, **_WANTED)
        if any(each.shape != keys.shape for each in told):
            raise bad_argument("keys", given=f"{len(keys)} and others", **_WANTED)
        if not ((told[0] >= 0) & (told[0] <= 1)).all():
            raise bad_argument(
                "weights", expected="from 0 to 1", given=weights, hint="1 keeps a row"
            )
        self._pending.append((keys, np.stack(told, 1)))
        if sum(len(each) for each, _ in self._pending) >= _PENDING:
            self._settle()

    def take_in(self, other: "RejectionSample") -> None:
        """Merge the sample of another part into this one.

        Raises:
            ArgumentError: It is no such sample, or keeps another number of rows.
        """
        other = _A_SAMPLE("other", other)
        if other._room != self._room:
            raise bad_argument(
                "other",
                expected=f"a sample of {self._room} rows",
                given=f"one of {other._room}",
                hint="draw all parts with the same number",
            )
        other._settle()
        self._pending.append((other._keys, other._told))
        self._settle()

    def report(self, **settings: Any) -> RejectionReport:
        """What the filter takes away of rare and of common contents.

        Args:
            settings: Of `rejection_by_rarity`.

        Raises:
            ArgumentError: No rows, or as of `rejection_by_rarity`.
        """
        self._settle()
        return rejection_by_rarity(self._told[:, 0], self._told[:, 1], **settings)

    def state_dict(self) -> dict[str, Any]:
        """All of it in plain JSON types."""
        self._settle()
        return {
            "rows": self._room,
            "keys": self._keys.tolist(),
            "weights": self._told[:, 0].tolist(),
            "rarity": self._told[:, 1].tolist(),
        }

    @classmethod
    def of_state(cls, state: Any) -> "RejectionSample":
        """The sample that `state_dict` wrote down.

        Raises:
            ArgumentError: It is no such state; the part that is wrong is named.
        """
        whole = Part("state", state, "filter that part again")
        parts = whole.keys("rows", "keys", "weights", "rarity")
        sample = cls(parts["rows"].whole(least=1_000))
        given = parts["keys"].items(most=sample._room)
        keys = np.array([key.whole(most=2**64 - 1) for key in given], dtype=np.uint64)
        parts["keys"].check(bool((keys[1:] > keys[:-1]).all()), "keys upwards")
        weights = parts["weights"].numbers(len(keys), least=0, most=1)
        sample._keys = keys
        sample._told = np.stack([weights, parts["rarity"].numbers(len(keys))], 1)
        return sample

    def _settle(self) -> None:
        if not self._pending:
            return
        keys = np.concatenate([self._keys, *(each for each, _ in self._pending)])
        told = np.concatenate([self._told, *(each for _, each in self._pending)])
        self._pending = []
        # Of equal keys the same one in whatever order they came.
        order = np.lexsort((told[:, 1], told[:, 0], keys))
        keys = keys[order]
        is_first = np.ones(len(keys), bool)
        is_first[1:] = keys[1:] != keys[:-1]
        kept = np.flatnonzero(is_first)[: self._room]
        self._keys, self._told = keys[kept], told[order[kept]]


_A_SAMPLE = a(RejectionSample, expected="a RejectionSample", hint="draw one of each part")
