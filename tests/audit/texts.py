"""Random rows with copies of each other, and the plain way to compare them."""

import numpy as np

from collapse_guard.audit.distinct import Distinct
from collapse_guard.audit.scan import scan
from collapse_guard.rows.column import Column
from collapse_guard.rows.row_source import RowSource
from collapse_guard.rows.source import Kind

WORDS = [f"w{number}" for number in range(2000)]


def random_rows(count: int, *, seed: int, least: int = 20, most: int = 60) -> list[list[int]]:
    generator = np.random.default_rng(seed)
    lengths = generator.integers(least, most, size=count)
    return [generator.integers(0, len(WORDS), size=length).tolist() for length in lengths]


def changed(row: list[int], changes: int, generator: np.random.Generator) -> list[int]:
    """The row with some of its tokens put in place of others."""
    row = list(row)
    for place in generator.integers(0, len(row), size=changes):
        row[place] = int(generator.integers(0, len(WORDS)))
    return row


def as_text(row: list[int]) -> str:
    return " ".join(WORDS[token] for token in row)


def plain_words(text: str) -> list[str]:
    """What `word_rows` numbers, by the code points of the text."""
    words = []
    current = ""
    for character in _with_marks_as_spaces(text.lower()):
        wide = ord(character) >= 0x800
        inside = ord(character) >= 0x80 or character.isalnum()
        if inside and not wide:
            current += character
            continue
        if current:
            words.append(current)
        current = ""
        if wide:
            words.append(character)
    return [*words, current] if current else words


def jaccard(left: list[object], right: list[object], shingle: int = 5) -> float:
    ours, theirs = (
        {tuple(row[i : i + shingle]) for i in range(len(row) - shingle + 1)}
        for row in (left, right)
    )
    return len(ours & theirs) / max(len(ours | theirs), 1)


def _with_marks_as_spaces(text: str) -> str:
    marks = [(0x80, 0xBF), (0x2000, 0x207F), (0x3000, 0x303F)]
    return "".join(
        " " if any(low <= ord(character) <= high for low, high in marks) else character
        for character in text
    )


def distinct_of(*sources: tuple[str, Kind, list[str]]) -> Distinct:
    """What all rows hold, of sources given by name, kind and texts."""
    return Distinct.of(
        [scan(Column(RowSource(name, rows)), kind, near=False) for name, kind, rows in sources]
    )
