"""A bounded part of texts without end, drawn by what they say."""

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from collapse_guard.audit.exact_duplicates import empty_rows, identity_keys
from collapse_guard.human_text.texts import checked_texts

_ALL_KEYS = 2**64
_TEXTS_AT_A_TIME = 1024
_CHARACTERS_AT_A_TIME = 1 << 22
_PLACES_KEPT = 64
_OVERHEAD = 200
"""Bytes that a text takes beside its characters, about."""


@dataclass
class SampledText:
    """One content of a sample.

    Attributes:
        text: What it says.
        copies: How many rows say it.
        rows: Numbers of the first of those rows, upwards, at most 64.
    """

    text: str
    copies: int = 0
    rows: list[int] = field(default_factory=list)


class ContentSample:
    """Texts drawn by their contents: all copies of one are in it, or none.

    Contents are numbered at random by a hash, and those with the lowest numbers are kept, as many
    as fit: the bottom-k sketch of Cohen and Kaplan ("Summarizing Data Using Bottom-k Sketches",
    PODC 2007). It is a fair sample of contents, the same in whatever order the texts come, and two
    sources that are sampled so keep the same ones of those that they share.

    Args:
        characters: Characters to keep at most, at least 1; one text more than that is kept whole
            where it is the only one.

    Attributes:
        rows: Texts that were gone through.
        empty: Those of them that hold nothing but spaces.
        characters_seen: Characters of all of them.

    Example:
        >>> sample = ContentSample(1_000_000)
        >>> sample.extend(["a rose", "a rose", ""])
        >>> sample.rows, sample.empty, sample.is_whole, len(sample)
        (3, 1, True, 1)
        >>> [(one.text, one.copies) for one in sample.contents()]
        [('a rose', 2)]
    """

    def __init__(self, characters: int) -> None:
        self.rows = self.empty = self.characters_seen = 0
        self._room = characters
        self._size = 0
        self._limit = _ALL_KEYS
        self._kept: dict[int, SampledText] = {}
        self._highest: list[int] = []

    def __len__(self) -> int:
        """Contents that are in the sample."""
        return len(self._kept)

    @property
    def is_whole(self) -> bool:
        """Whether every text is in it that holds anything."""
        return self._limit == _ALL_KEYS

    @property
    def limit(self) -> int:
        """Contents are in the sample whose number is below this, from 1 to 2**64."""
        return self._limit

    @property
    def share(self) -> float:
        """Probability of a content to be in it, above 0 and at most 1."""
        return self._limit / _ALL_KEYS

    def extend(self, texts: Iterable[str], *, argument: str = "texts") -> None:
        """Go through more texts.

        Args:
            texts: In their order.
            argument: What they are called, for errors.

        Raises:
            ArgumentError: They are one text, a path, or no texts.
        """
        for batch in _batches(checked_texts(argument, texts)):
            self._add(batch)

    def contents(self, *, limit: int = _ALL_KEYS) -> Iterator[SampledText]:
        """What is in it, in the order of the first rows.

        Args:
            limit: Leave out contents whose number is not below it.
        """
        kept = [one for key, one in self._kept.items() if key < limit]
        return iter(sorted(kept, key=lambda one: one.rows[0]))

    def _add(self, texts: list[str]) -> None:
        self.characters_seen += sum(map(len, texts))
        is_empty = empty_rows(texts)
        self.empty += int(is_empty.sum())
        keys = identity_keys(texts)
        # All at once, for of a long source hardly any is below; none is beyond the largest number.
        is_below = keys <= np.uint64(self._limit - 1)
        for place in np.flatnonzero(is_below & ~is_empty).tolist():
            self._keep(int(keys[place]), texts[place], self.rows + place)
        self.rows += len(texts)

    def _keep(self, key: int, text: str, row: int) -> None:
        if key >= self._limit:
            return
        one = self._kept.get(key)
        if one is None:
            one = self._kept[key] = SampledText(text)
            heapq.heappush(self._highest, -key)
            self._size += len(text) + _OVERHEAD
        one.copies += 1
        if len(one.rows) < _PLACES_KEPT:
            one.rows.append(row)
        while self._size > self._room and len(self._kept) > 1:
            self._limit = -heapq.heappop(self._highest)
            self._size -= len(self._kept.pop(self._limit).text) + _OVERHEAD


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    size = 0
    for text in texts:
        batch.append(text)
        size += len(text)
        if len(batch) == _TEXTS_AT_A_TIME or size >= _CHARACTERS_AT_A_TIME:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
