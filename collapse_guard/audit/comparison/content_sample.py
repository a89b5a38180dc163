"""A bounded part of texts without end, drawn by what they say."""

import heapq
from bisect import insort
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import numpy as np

from collapse_guard.arguments import a, text, whole_number
from collapse_guard.audit.exact_duplicates import empty_rows, identity_keys
from collapse_guard.errors import bad_argument
from collapse_guard.human_text.texts import checked_texts
from collapse_guard.statistics.json_forms import Part

ALL_KEYS = 2**64
"""Contents are numbered from 0 to before this."""

PLACES_KEPT = 64
"""Of a content with more copies the first so many are remembered."""

_TEXTS_AT_A_TIME = 1024
_CHARACTERS_AT_A_TIME = 1 << 22
_OVERHEAD = 200
"""Bytes that a text takes beside its characters, about."""

Place = tuple[str, int]
"""Where a text stands: its part, and its number there."""


@dataclass
class SampledText:
    """One content of a sample.

    Attributes:
        text: What it says.
        copies: How many rows say it.
        rows: Numbers of the first of those rows, upwards, at most 64.
    """

    text: str
    copies: int
    rows: list[int]


@dataclass
class _Kept:
    """A content as it is kept, with the places of its first rows, upwards."""

    text: str
    copies: int = 0
    places: list[Place] = field(default_factory=list)

    def add(self, copies: int, places: Iterable[Place]) -> None:
        self.copies += copies
        for place in places:
            insort(self.places, place)
        del self.places[PLACES_KEPT:]


class ContentSample:
    """Texts drawn by their contents: all copies of one are in it, or none.

    Contents are numbered at random by a hash, and those with the lowest numbers are kept, as many
    as fit: the bottom-k sketch of Cohen and Kaplan ("Summarizing Data Using Bottom-k Sketches",
    PODC 2007). It is a fair sample of contents, the same in whatever order the texts come, and two
    sources that are sampled so keep the same ones of those that they share.

    Texts may be gone through in parts, by whoever and in whatever order: samples of parts merge
    into the very sample of the whole, whose rows are those of the parts in the order of their
    names. Memory is bounded by the room, whatever the number of texts, but for 100 bytes a part.

    Args:
        characters: Characters to keep at most, at least 1; one text more than that is kept whole
            where it is the only one.
        limit: Contents whose number is not below it are left out from the beginning, from 1 to
            2**64: the `limit` of another sample of the same room and of some of the same texts,
            which tells what cannot be in a sample of them all.

    Raises:
        ArgumentError: An argument is out of range.

    Example:
        >>> sample = ContentSample(1_000_000)
        >>> sample.extend(["a rose", "a rose", ""], part="first.txt")
        >>> sample.rows, sample.empty, sample.is_whole, len(sample)
        (3, 1, True, 1)
        >>> other = ContentSample(1_000_000)
        >>> other.extend(["is", "a rose"], part="second.txt")
        >>> [(one.text, one.copies, one.rows) for one in sample.merge(other).contents()]
        [('a rose', 3, [0, 1, 4]), ('is', 1, [3])]
    """

    def __init__(self, characters: int, *, limit: int = ALL_KEYS) -> None:
        hint = "leave it out, or give that of another sample"
        self._room = whole_number("characters", characters, least=1, hint="1 << 24 is usual")
        self._limit = whole_number("limit", limit, least=1, most=ALL_KEYS, hint=hint)
        self._rows: dict[str, int] = {}
        self._empty = self._characters_seen = self._size = 0
        self._kept: dict[int, _Kept] = {}
        self._highest: list[int] = []

    def __len__(self) -> int:
        """Contents that are in the sample."""
        return len(self._kept)

    @property
    def characters(self) -> int:
        """Characters that it keeps at most."""
        return self._room

    @property
    def rows(self) -> int:
        """Texts that were gone through."""
        return sum(self._rows.values())

    @property
    def rows_of(self) -> Mapping[str, int]:
        """Texts of each part, in the order of their names."""
        return dict(sorted(self._rows.items()))

    @property
    def empty(self) -> int:
        """Those of them that hold nothing but spaces."""
        return self._empty

    @property
    def characters_seen(self) -> int:
        """Characters of all of them."""
        return self._characters_seen

    @property
    def is_whole(self) -> bool:
        """Whether every text is in it that holds anything."""
        return self._limit == ALL_KEYS

    @property
    def limit(self) -> int:
        """Contents are in the sample whose number is below this, from 1 to 2**64."""
        return self._limit

    @property
    def share(self) -> float:
        """Probability of a content to be in it, above 0 and at most 1."""
        return self._limit / ALL_KEYS

    def extend(self, texts: Iterable[str], *, part: str = "", argument: str = "texts") -> None:
        """Go through more texts.

        Args:
            texts: In their order.
            part: The name of what they are a part of, such as their file. Texts that are given of
                one part in several calls follow each other.
            argument: What they are called, for errors.

        Raises:
            ArgumentError: They are one text, a path, or no texts, or the part has no name.
        """
        part = text(hint="leave it out")("part", part)
        self._rows.setdefault(part, 0)
        for batch in _batches(checked_texts(argument, texts)):
            self._add(batch, part)

    def merge(self, other: "ContentSample") -> "ContentSample":
        """The sample of all texts that either was drawn from; both stay as they are.

        Which one is merged into which makes no difference, nor in which order several are.

        Args:
            other: Of other parts.

        Raises:
            ArgumentError: It is no such sample, keeps more or fewer characters, or went through
                a part that this one went through too.
        """
        merged = ContentSample(self._room)
        for each in (self, other):
            merged.take_in(each)
        return merged

    def take_in(self, other: "ContentSample") -> None:
        """Merge another sample into this one, in time that the other one's size alone decides.

        Args:
            other: As of `merge`.

        Raises:
            ArgumentError: As of `merge`; nothing is changed then.
        """
        other = A_SAMPLE("other", other)
        if other.characters != self.characters:
            raise bad_argument(
                "other",
                expected=f"a sample of {self.characters} characters",
                given=f"one of {other.characters}",
                hint="draw all parts with the same room",
            )
        if twice := sorted(self._rows.keys() & other._rows.keys()):
            raise bad_argument(
                "other",
                expected="a sample of other parts, so that no text counts twice",
                given=f"one of part {twice[0]!r}, which this one has too",
                hint="merge each part once, and give each a name of its own (`part`)",
            )
        self._rows.update(other._rows)
        self._empty += other._empty
        self._characters_seen += other._characters_seen
        self._lower(other._limit)
        for key, one in other._kept.items():
            self._keep(key, one.text, one.copies, one.places)

    def contents(self, *, limit: int = ALL_KEYS) -> Iterator[SampledText]:
        """What is in it, in the order of the first rows.

        Args:
            limit: Leave out contents whose number is not below it.
        """
        before = dict(zip(self.rows_of, accumulate(self.rows_of.values(), initial=0), strict=False))
        kept = [one for key, one in self._kept.items() if key < limit]
        for one in sorted(kept, key=lambda each: each.places[0]):
            rows = [before[part] + row for part, row in one.places]
            yield SampledText(one.text, one.copies, rows)

    def state_dict(self) -> dict[str, Any]:
        """All of it in plain JSON types, for a file or another machine."""
        numbers = {part: number for number, part in enumerate(self.rows_of)}
        return {
            "characters": self._room,
            "limit": self._limit,
            "empty": self._empty,
            "characters_seen": self._characters_seen,
            "rows": dict(self.rows_of),
            "kept": [
                [one.text, one.copies, [[numbers[part], row] for part, row in one.places]]
                for _, one in sorted(self._kept.items())
            ],
        }

    @classmethod
    def of_state(cls, state: Any) -> "ContentSample":
        """The sample that `state_dict` wrote down.

        Raises:
            ArgumentError: It is no such state; the part that is wrong is named.
        """
        whole = Part("state", state, "draw the sample of that part again")
        parts = whole.keys("characters", "limit", "empty", "characters_seen", "rows", "kept")
        sample = cls(
            parts["characters"].whole(least=1), limit=parts["limit"].whole(least=1, most=ALL_KEYS)
        )
        sample._empty = parts["empty"].whole()
        sample._characters_seen = parts["characters_seen"].whole()
        sample._rows = {name: rows.whole() for name, rows in parts["rows"].entries().items()}
        parts["empty"].check(sample._empty <= sample.rows, f"at most {sample.rows}, as rows")
        names, last = list(sample.rows_of), -1
        for kept in parts["kept"].items():
            content, copies, places = kept.items(3)
            key = int(identity_keys([content.text()])[0])
            content.check(last < key < sample._limit, "a text of the sample, in their order")
            last = key
            found = [_place(place, names, sample._rows) for place in places.items(most=PLACES_KEPT)]
            places.check(bool(found) and found == sorted(set(found)), "rows upwards")
            sample._keep(key, content.text(), copies.whole(least=len(found)), found)
        parts["kept"].check(len(sample) == len(parts["kept"].items()), "no more than there is room")
        return sample

    def _add(self, texts: list[str], part: str) -> None:
        start = self._rows[part]
        self._characters_seen += sum(map(len, texts))
        is_empty = empty_rows(texts)
        self._empty += int(is_empty.sum())
        keys = identity_keys(texts)
        # All at once, for of a long source hardly any is below; none is beyond the largest number.
        is_below = keys <= np.uint64(self._limit - 1)
        for row in np.flatnonzero(is_below & ~is_empty).tolist():
            self._keep(int(keys[row]), texts[row], 1, [(part, start + row)])
        self._rows[part] = start + len(texts)

    def _keep(self, key: int, content: str, copies: int, places: Iterable[Place]) -> None:
        if key >= self._limit:
            return
        one = self._kept.get(key)
        if one is None:
            one = self._kept[key] = _Kept(content)
            heapq.heappush(self._highest, -key)
            self._size += len(content) + _OVERHEAD
        one.add(copies, places)
        while self._size > self._room and len(self._kept) > 1:
            self._leave_out_highest()

    def _lower(self, limit: int) -> None:
        while self._highest and -self._highest[0] >= limit:
            self._leave_out_highest()
        self._limit = min(self._limit, limit)

    def _leave_out_highest(self) -> None:
        self._limit = -heapq.heappop(self._highest)
        self._size -= len(self._kept.pop(self._limit).text) + _OVERHEAD


A_SAMPLE = a(ContentSample, expected="a ContentSample", hint="draw one of each part")


def _place(place: Part, names: list[str], rows: Mapping[str, int]) -> Place:
    part, row = place.items(2)
    name = names[part.whole(most=len(names) - 1)]
    return name, row.whole(most=rows[name] - 1)


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    size = 0
    for one in texts:
        batch.append(one)
        size += len(one)
        if len(batch) == _TEXTS_AT_A_TIME or size >= _CHARACTERS_AT_A_TIME:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
