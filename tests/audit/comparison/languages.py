"""Texts of a made-up language whose words are as frequent as Zipf's law has them."""

import numpy as np

KINDS = 4_000


def zipf_texts(
    texts: int, *, seed: int, temperature: float = 1.0, words: int = 40, kinds: int = KINDS
) -> list[str]:
    """Texts of independent words; below a temperature of 1 rare ones come seldom."""
    rates = (np.arange(kinds) + 2.7) ** (-1 / temperature)
    drawn = np.random.default_rng(seed).choice(kinds, (texts, words), p=rates / rates.sum())
    return [" ".join(map(word, row)) for row in drawn.tolist()]


def word(number: int) -> str:
    """The word of a number, in letters alone."""
    letters = "abcdefghij"
    return "w" + "".join(letters[int(digit)] for digit in str(number))
