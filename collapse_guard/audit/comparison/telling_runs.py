"""Words and phrases of human text that synthetic text has lost, and those that it overuses."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from collapse_guard.audit.comparison.runs import Runs
from collapse_guard.human_text.token_rows import TokenRows

PIECES = 64
CHANCE = 0.01

_LEAST_COUNT = 5
_AROUND = 32

Ids = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class TellingRun:
    """A word, or a phrase of two or three, that one kind of text has far oftener.

    Attributes:
        words: As they are counted: without case, with single spaces.
        human: How often human text has it, for each million words.
        synthetic: How often synthetic text has it.
        example: A place where it stands, in the kind of text that has it oftener.
    """

    words: str
    human: float
    synthetic: float
    example: str


@dataclass(frozen=True)
class TellingRuns:
    """What tells human and synthetic text apart by words, the surest first.

    Attributes:
        vanished: Not once in the synthetic text.
        overused: Oftener than in human text.
    """

    vanished: tuple[TellingRun, ...]
    overused: tuple[TellingRun, ...]


class NumberedTexts(NamedTuple):
    """Texts of one kind, and their words as numbers, a row for each text."""

    texts: Sequence[str]
    rows: TokenRows


def telling_runs(
    human: NumberedTexts,
    synthetic: NumberedTexts,
    runs: Sequence[Runs],
    words: Sequence[str],
    *,
    most: int = 10,
) -> TellingRuns:
    """Find words and phrases that are surely gone from synthetic text, or surely too many in it.

    Rates are compared by the log-likelihood ratio of Dunning ("Accurate Methods for the Statistics
    of Surprise and Coincidence", Computational Linguistics 19, 1993), its root being normal. But
    words come in bursts: each kind of text is cut into 64 pieces, and where the counts of a run
    vary more between them than Poisson's do, the ratio is divided by how many times. What is listed
    would come there by chance with a probability below 1%, all runs and both lists together
    (Bonferroni). Of runs that share a word, or a pair of words where both are longer, the surest
    one is listed, and of those the longest.

    Args:
        human: Human texts.
        synthetic: Synthetic ones, their words numbered alike.
        runs: Their runs of one word, of two, and so on.
        words: The words by their numbers.
        most: Of either list, at least 1.
    """
    gone: list[_Found] = []
    often: list[_Found] = []
    for length, numbered in enumerate(runs, start=1):
        compared = _compared(numbered, tests=2 * len(runs))
        is_gone = compared.is_sure & (compared.rates[1] == 0)
        is_often = compared.is_sure & (compared.rates[1] > compared.rates[0])
        gone.extend(_found(compared, is_gone, numbered.human, human.rows, length, most))
        often.extend(_found(compared, is_often, numbered.synthetic, synthetic.rows, length, most))
    return TellingRuns(
        tuple(_shown(_apart(gone, most), human, words)),
        tuple(_shown(_apart(often, most), synthetic, words)),
    )


class _Found(NamedTuple):
    surety: float
    run: tuple[int, ...]
    place: int
    human: float
    synthetic: float


class _Counts(NamedTuple):
    """How often each run comes, and how many times Poisson's variance that has, at least once."""

    total: Floats
    spread: Floats


class _Compared(NamedTuple):
    """How surely the rates of each run differ, whether that is no chance, and the rates."""

    scores: Floats
    is_sure: Mask
    rates: tuple[Floats, Floats]


def _compared(runs: Runs, *, tests: int) -> _Compared:
    own, other = (_counted(numbers, runs.kinds) for numbers in (runs.human, runs.synthetic))
    many, more = max(len(runs.human), 1), max(len(runs.synthetic), 1)
    is_compared = own.total + other.total >= _LEAST_COUNT
    chance = CHANCE / max(tests * int(is_compared.sum()), 1)
    scores = _scores(own, other, more / many)
    return _Compared(
        scores,
        is_compared & (scores > -NormalDist().inv_cdf(chance)),
        (1e6 * own.total / many, 1e6 * other.total / more),
    )


def _found(
    compared: _Compared, listed: Mask, kinds: Ids, rows: TokenRows, length: int, most: int
) -> Iterator[_Found]:
    chosen = np.flatnonzero(listed)
    # Many, as those that share words are one in the end.
    chosen = chosen[np.argsort(-compared.scores[chosen], kind="stable")][: 8 * most]
    for run in chosen.tolist():
        place = int(np.argmax(kinds == run))
        yield _Found(
            float(compared.scores[run]),
            tuple(rows.ids[place : place + length].tolist()),
            place,
            *(float(rates[run]) for rates in compared.rates),
        )


def _scores(own: _Counts, other: _Counts, size: float) -> Floats:
    """How surely the rates differ, in standard deviations; `size` is of the other text."""
    both = (own.total + other.total) / (1 + size)
    ratio = _surprise(own.total, both) + _surprise(other.total, both * size)
    scores: Floats = np.sqrt(np.maximum(2 * ratio, 0) / np.maximum(own.spread, other.spread))
    return scores


def _surprise(counts: Floats, expected: Floats) -> Floats:
    terms: Floats = counts * np.log(np.maximum(counts, 1) / expected)
    return terms


def _counted(numbers: Ids, kinds: int) -> _Counts:
    pieces = np.arange(len(numbers)) * PIECES // max(len(numbers), 1)
    is_run = numbers >= 0
    pairs, counts = np.unique(numbers[is_run] * PIECES + pieces[is_run], return_counts=True)
    run = pairs // PIECES
    total: Floats = np.bincount(run, counts, minlength=kinds).astype(np.float64)
    squares = np.bincount(run, counts.astype(np.float64) ** 2, minlength=kinds)
    mean = np.maximum(total, 1) / PIECES
    return _Counts(total, np.maximum((squares / PIECES - mean**2) / mean, 1.0))


def _apart(found: Iterable[_Found], most: int) -> Iterator[_Found]:
    """The surest, without those that share words with a surer one."""
    listed: list[tuple[int, ...]] = []
    for one in sorted(found, key=lambda each: (-each.surety, -len(each.run))):
        if len(listed) == most:
            return
        if not any(_share(one.run, other) for other in listed):
            listed.append(one.run)
            yield one


def _share(run: tuple[int, ...], other: tuple[int, ...]) -> bool:
    length = min(2, len(run), len(other))
    parts, others = (
        {tuple(each[start : start + length]) for start in range(len(each) - length + 1)}
        for each in (run, other)
    )
    return not parts.isdisjoint(others)


def _shown(
    found: Iterable[_Found], texts: NumberedTexts, words: Sequence[str]
) -> Iterator[TellingRun]:
    ends = np.cumsum(texts.rows.lengths)
    for one in found:
        text = texts.texts[int(np.searchsorted(ends, one.place, side="right"))]
        run = [words[word] for word in one.run]
        yield TellingRun(" ".join(run), one.human, one.synthetic, _example(text, run))


def _example(text: str, run: Sequence[str]) -> str:
    """Where a run stands in a text, with some of what is around it; else how the text begins."""
    pattern = r"\W+".join(map(re.escape, run))
    at = re.search(rf"(?<!\w){pattern}(?!\w)", text, re.IGNORECASE)
    begin, end = at.span() if at else (0, 0)
    start, stop = max(begin - _AROUND, 0), min(end + _AROUND, len(text))
    inside = " ".join(text[start:stop].split())
    return f"{'…' * (start > 0)}{inside}{'…' * (stop < len(text))}"
