"""Mixed streams of rows of any length, and what they show, slot by slot."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import strategies as st

from collapse_guard import MixGuard, RareBoost, Source

LENGTHS = st.integers(1, 30) | st.integers(1, 10_000) | st.just(0)


class Lengths:
    """Rows that are their own numbers of tokens."""

    def __init__(self, lengths: Sequence[int]) -> None:
        self.lengths = lengths

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, row: int) -> int:
        return self.lengths[row]


def itself(row: int) -> int:
    return row


def heavy_tailed(rows: int, seed: int, *, longest: int = 10_000) -> list[int]:
    """Lengths whose longest are a good part of all: Pareto of index 1."""
    drawn = np.random.default_rng(seed).pareto(1.0, rows) * 20 + 1
    return np.minimum(drawn, longest).astype(int).tolist()


def _rarity(row: int) -> int:
    return row % 5


@dataclass(frozen=True)
class Mix:
    """One way to mix rows of many lengths."""

    human: tuple[tuple[int, ...], ...]
    synthetic: tuple[tuple[int, ...], ...]
    weights: tuple[int, ...]
    fraction: Fraction
    block_size: int
    epochs: int
    length: int
    seed: int
    boost: bool

    def _can_boost(self) -> bool:
        """Whether every human source has rows to boost, as few of them may be drawn from."""
        return all(len({_rarity(row) for row in lengths}) > 1 for lengths in self.human)

    def guard(self, **settings: Any) -> MixGuard:
        sources = [
            Source(Lengths(lengths), f"{kind} {number}", kind, weight=self.weights[number])
            for kind, given in (("human", self.human), ("synthetic", self.synthetic))
            for number, lengths in enumerate(given)
        ]
        return MixGuard(
            sources[: len(self.human)],
            sources[len(self.human) :],
            **{
                "human_fraction": self.fraction,
                "block_size": self.block_size,
                "epochs": self.epochs,
                "length": self.length,
                "seed": self.seed,
                "boost": RareBoost(3.0, by=_rarity) if self.boost and self._can_boost() else None,
                "max_repeats": 10_000,
                "unit": "tokens",
                "lengths": itself,
                **settings,
            },
        )


@st.composite
def mixes(draw: st.DrawFn) -> Mix:
    lengths = st.lists(LENGTHS, min_size=1, max_size=30).filter(any).map(tuple)
    sources = st.lists(lengths, min_size=1, max_size=3).map(tuple)
    return Mix(
        human=draw(sources),
        synthetic=draw(sources),
        weights=draw(st.tuples(*[st.integers(1, 5)] * 3)),
        fraction=draw(st.fractions(0, 1, max_denominator=20) | st.just(Fraction(1, 1000))),
        block_size=draw(st.integers(1, 12)),
        epochs=draw(st.integers(1, 3)),
        length=draw(st.integers(1, 80)),
        seed=draw(st.integers(0, 2**32)),
        boost=draw(st.booleans()),
    )


def tokens_of(guard: MixGuard) -> np.ndarray:
    """int64 of shape (slots,), the tokens of the row in each slot."""
    return np.array([guard[slot] for slot in range(len(guard))], dtype=np.int64)


def deepest_fall(tokens: np.ndarray, is_human: np.ndarray, fraction: Fraction) -> Fraction:
    """The most by which any rows in a row are behind a share of their tokens: one pass."""
    ahead = np.where(is_human, fraction.denominator - fraction.numerator, -fraction.numerator)
    balance = np.concatenate([[0], np.cumsum(ahead * tokens)])
    fall = (np.maximum.accumulate(balance) - balance).max()
    return Fraction(int(fall), fraction.denominator)
