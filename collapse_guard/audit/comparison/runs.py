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


def number_runs(human: TokenRows, synthetic: TokenRows, length: int) -> Runs:
    """Number the runs of a length: equal numbers for equal runs, and only for those.

    Args:
        human: Texts as numbers of words.
        synthetic: The same, with the same numbers.
        length: Words in a run, at least 1.

    Example:
        >>> one, other = TokenRows.of([[7, 8, 7], [8, 7]]), TokenRows.of([[7, 8]])
        >>> runs = number_runs(one, other, 2)
        >>> runs.human.tolist(), runs.synthetic.tolist(), runs.kinds
        ([0, 1, -1, 1, -1], [0, -1], 2)
    """
    words = np.concatenate([human.ids, synthetic.ids])
    lengths = np.concatenate([human.lengths, synthetic.lengths])
    ends = np.repeat(np.cumsum(lengths), lengths)
    numbers = np.unique(words, return_inverse=True)[1].astype(np.int64)
    kinds = int(words.max(initial=-1)) + 1
    for offset in range(1, length):
        spelt = numbers[: len(words) - offset] * kinds + words[offset:]
        numbers = np.unique(spelt, return_inverse=True)[1].astype(np.int64)
    starts = np.arange(len(numbers))
    fits = starts + length <= ends[: len(numbers)]
    runs = np.full(len(words), -1, dtype=np.int64)
    found, runs[: len(numbers)][fits] = np.unique(numbers[fits], return_inverse=True)
    parts = np.split(runs, [len(human.ids)])
    return Runs(parts[0], parts[1], len(found))
