import sys

import numpy as np
import pytest
from hypothesis import given, strategies as st

from collapse_guard.audit.near_duplicates import (
    Bands,
    band_keys,
    candidate_pairs,
    jaccard_similarities,
)
from collapse_guard.errors import ArgumentError, MissingExtraError
from collapse_guard.human_text.token_rows import TokenRows
from tests.audit.texts import as_text, changed, jaccard, random_rows

small_rows = st.lists(st.lists(st.integers(0, 2), max_size=12), min_size=1, max_size=5)


@given(small_rows, small_rows)
def test_similarity_is_that_of_sets_of_shingles(
    left: list[list[int]], right: list[list[int]]
) -> None:
    pairs = [(i, j) for i in range(len(left)) for j in range(len(right))]
    found = jaccard_similarities(TokenRows.of(left), TokenRows.of(right), pairs)
    assert found.tolist() == [jaccard(left[i], right[j]) for i, j in pairs]


def test_similarity_of_texts_is_that_of_their_words() -> None:
    generator = np.random.default_rng(0)
    rows = random_rows(20, seed=1)
    others = [changed(row, 2, generator) for row in rows]
    pairs = [(i, i) for i in range(20)]
    by_text = jaccard_similarities(
        [as_text(row) for row in rows], [as_text(row).upper() for row in others], pairs
    )
    assert by_text.tolist() == [jaccard(a, b) for a, b in zip(rows, others, strict=True)]


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.8, 0.9, 1.0])
def test_bands_miss_at_most_one_pair_in_a_hundred_at_the_threshold(threshold: float) -> None:
    bands = Bands.of(threshold)
    assert bands.number * bands.width <= 128
    assert (1 - threshold**bands.width) ** bands.number <= 0.01
    wider = bands.width + 1
    assert wider > 128 or (1 - threshold**wider) ** (128 // wider) > 0.01


@pytest.mark.parametrize("threshold", [0.49, 1.01, 80])
def test_a_threshold_that_cannot_work_is_refused(threshold: float) -> None:
    with pytest.raises(ArgumentError, match="`near` expected a Jaccard similarity"):
        Bands.of(threshold)


def test_pairs_agree_in_bands_as_often_as_their_similarity_says() -> None:
    """The share of pairs found, against the formula, with the similarity counted by sets."""
    generator = np.random.default_rng(0)
    rows = random_rows(3000, seed=2, least=50, most=51)
    others = [changed(row, int(generator.integers(1, 6)), generator) for row in rows]
    bands = Bands.of(0.8)
    (keys, _), (among, _) = (band_keys(TokenRows.of(part), bands) for part in (rows, others))
    found = (keys == among).any(axis=1)
    similarity = np.array([jaccard(a, b) for a, b in zip(rows, others, strict=True)])
    expected = 1 - (1 - similarity**bands.width) ** bands.number
    for low, high in ((0.3, 0.5), (0.5, 0.7), (0.7, 0.8), (0.8, 1.0)):
        part = (similarity >= low) & (similarity < high)
        assert part.sum() > 100
        spread = np.sqrt((expected[part] * (1 - expected[part])).sum())
        assert abs(found[part].sum() - expected[part].sum()) < 4 * spread + 1


def test_rows_too_short_for_a_shingle_are_marked() -> None:
    _, has_shingles = band_keys(TokenRows.of([[1, 2, 3, 4], [], [1, 2, 3, 4, 5]]), Bands.of(0.8))
    assert has_shingles.tolist() == [False, False, True]


small_keys = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=8).map(
    lambda keys: np.array(keys, dtype=np.uint64).reshape(-1, 2)
)


@given(small_keys, small_keys)
def test_candidates_agree_in_a_band(keys: np.ndarray, among: np.ndarray) -> None:
    rows, others = candidate_pairs(keys, among)
    expected = [
        (i, j)
        for i, own in enumerate(keys)
        for j, other in enumerate(among)
        if (own == other).any()
    ]
    assert list(zip(rows.tolist(), others.tolist(), strict=True)) == expected


def test_a_key_that_all_rows_share_makes_few_pairs() -> None:
    keys = np.zeros((1000, 2), dtype=np.uint64)
    rows, others = candidate_pairs(keys, keys)
    assert np.bincount(rows).tolist() == [16] * 1000
    assert others.max() == 15


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rensa", None)
    with pytest.raises(MissingExtraError, match=r"collapse_guard\[audit\]"):
        band_keys(["a b c d e"], Bands.of(0.8))
