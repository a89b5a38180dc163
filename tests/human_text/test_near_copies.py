"""Near copies, against comparing all documents with all in sets."""

from itertools import combinations

import numpy as np
from hypothesis import given, strategies as st

from collapse_guard.human_text.near_copies import NEAR_SHARE, join, near_copies

SHINGLE = 3
DOCUMENTS = st.lists(st.lists(st.integers(0, 2), max_size=12), max_size=8)


def found(documents: list[list[int]], shingle: int = SHINGLE) -> list[tuple[int, int]]:
    ids = np.array([token for document in documents for token in document], np.int64)
    lengths = np.array([len(document) for document in documents], np.int64)
    left, right = near_copies(ids, lengths, shingle)
    return list(zip(left.tolist(), right.tolist(), strict=True))


def runs(document: list[int]) -> set[tuple[int, ...]]:
    return {tuple(document[i : i + SHINGLE]) for i in range(len(document) - SHINGLE + 1)}


@given(documents=DOCUMENTS)
def test_pairs_are_those_that_share_more_than_half_both_ways(documents: list[list[int]]) -> None:
    # Eight documents: no more than seven stand between two, so none is passed over.
    sets = [runs(document) for document in documents]
    expected = [
        (one, other)
        for one, other in combinations(range(len(documents)), 2)
        if len(sets[one] & sets[other]) > NEAR_SHARE * max(len(sets[one]), len(sets[other]))
    ]
    assert found(documents) == expected


def test_a_notice_that_all_bear_joins_nobody() -> None:
    notice, texts = list(range(40)), [list(range(n, n + 100)) for n in range(1000, 31_000, 1000)]
    bearers = [notice + text for text in texts]
    # The last is little more than the notice, and stands whole in all others but for its own words.
    assert found([*bearers, [*notice, 1, 2, 3]], shingle=8) == []


def test_many_near_copies_are_one_chain() -> None:
    text, random = np.arange(200), np.random.default_rng(0)
    copies = []
    for number in range(60):
        copy = text.copy()
        copy[random.integers(200, size=3)] = 1000 + number
        copies.append(copy.tolist())
    left, right = np.array(found(copies, shingle=5)).T
    assert set(join(np.arange(60), left, right).tolist()) == {0}


@given(
    units=st.lists(st.integers(0, 7), min_size=1, max_size=10),
    pairs=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=8),
)
def test_joining_is_what_pairs_connect(units: list[int], pairs: list[tuple[int, int]]) -> None:
    pairs = [(one % len(units), other % len(units)) for one, other in pairs]
    # The closure, by matrices: documents touch that are of one unit or in one pair.
    touch = np.equal.outer(units, units)
    for one, other in pairs:
        touch[one, other] = touch[other, one] = True
    for _ in units:
        touch = touch @ touch
    left, right = np.array(pairs, np.int64).reshape(-1, 2).T
    joined = join(np.array(units), left, right)
    np.testing.assert_array_equal(np.equal.outer(joined, joined), touch)
    # Numbered as they first come.
    assert list(dict.fromkeys(joined.tolist())) == list(range(len(set(joined.tolist()))))
