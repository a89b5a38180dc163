from fractions import Fraction

import numpy as np

from collapse_guard.mixing.order.token_counts import TokenCounts, summed, sums_of


def test_sums_of_stretches_and_epochs_are_those_of_what_came_before() -> None:
    first, second = np.array([[1, 10], [2, 20]]), np.array([[3, 30], [4, 40]])
    sums, epochs = sums_of([first, second])
    assert sums.tolist() == [[[0, 0], [1, 10]], [[0, 0], [3, 30]]]
    assert epochs.tolist() == [[0, 0], [3, 30], [10, 100]]


def test_tokens_are_those_of_the_rows() -> None:
    lengths = (np.array([5, 6], np.int32), np.array([7, 8], np.int32))
    counts = TokenCounts(lengths, Fraction(1, 2), 8, *sums_of([np.zeros((1, 2), np.int64)]))
    sources, rows = np.array([0, 1, 1, 0]), np.array([1, 0, 1, 1])
    tokens = counts.of(sources, rows)
    assert tokens.tolist() == [6, 7, 8, 6]
    # Sums of many rows are more than the lengths' own int32 holds.
    assert tokens.dtype == np.int64
    assert summed(sources, tokens, 3).tolist() == [12, 15, 0]
