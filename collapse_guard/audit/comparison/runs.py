"""Runs of words as numbers, the same ones in human and in synthetic texts."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from collapse_guard.human_text.token_rows import TokenRows

Ids = npt.NDArray[np.int64]


class Runs(NamedTuple):
    """The run of words that begins at each word, by its number.

    Attributes:
        human: int64 of shape (human words,); -1 where the text ends before the run does.
        synthetic: The same of shape (synthetic words,).
        kinds: How many different runs there are; the largest number, and one.
    """

    human: Ids
    synthetic: Ids
    kinds: int


def number_runs(human: TokenRows, synthetic: TokenRows, longest: int) -> tuple[Runs, ...]:
    """Number the runs of each length: equal numbers for equal runs, and only for those.

    Args:
        human: Texts as numbers of words.
        synthetic: The same, with the same numbers.
        longest: Words in the longest runs, at least 1.

    Returns:
        The runs of one word, of two, and so on.

    Example:
        >>> one, other = TokenRows.of([[7, 8, 7], [8, 7]]), TokenRows.of([[7, 8]])
        >>> _, pairs = number_runs(one, other, 2)
        >>> pairs.human.tolist(), pairs.synthetic.tolist(), pairs.kinds
        ([0, 1, -1, 1, -1], [0, -1], 2)
    """
    words = np.concatenate([human.ids, synthetic.ids])
    lengths = np.concatenate([human.lengths, synthetic.lengths])
    left = np.repeat(np.cumsum(lengths), lengths) - np.arange(len(words))
    kinds = int(words.max(initial=-1)) + 1
    found = []
    runs = np.zeros(len(words), dtype=np.int64)
    for length in range(1, longest + 1):
        places = np.flatnonzero(left >= length)
        # A run is the one that is a word shorter, and its last word.
        spelt = runs[places] * kinds + words[places + length - 1]
        numbers, inverse = np.unique(spelt, return_inverse=True)
        runs = np.full(len(words), -1, dtype=np.int64)
        runs[places] = inverse
        own, other = np.split(runs, [len(human.ids)])
        found.append(Runs(own, other, len(numbers)))
    return tuple(found)
