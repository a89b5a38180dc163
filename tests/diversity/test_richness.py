"""Types, coverage and entropy against scipy, exact fractions and naive loops."""

import math
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy import stats

from collapse_guard.diversity import (
    chao_shen_entropy,
    good_turing_coverage,
    plug_in_entropy,
    rarefied_coverage,
    rarefied_types,
)
from collapse_guard.diversity.abundance import absence, expected_types
from collapse_guard.errors import ArgumentError
from tests.diversity.texts import texts_of

two_tokens = texts_of().filter(lambda texts: sum(map(len, texts)) >= 2)


def counts_of(texts: list[list[int]]) -> list[int]:
    return list(Counter(token for text in texts for token in text).values())


@given(texts=two_tokens, data=st.data())
def test_rarefied_types_equal_scipys_hypergeometric(
    texts: list[list[int]], data: st.DataObject
) -> None:
    counts, total = counts_of(texts), sum(map(len, texts))
    draws = data.draw(st.integers(1, total))
    expected = sum(1 - stats.hypergeom(total, count, draws).pmf(0) for count in counts)
    assert rarefied_types(texts, budget=draws) == pytest.approx(expected, rel=1e-9)


@given(texts=two_tokens, data=st.data())
def test_one_more_token_is_new_where_the_others_do_not_cover_it(
    texts: list[list[int]], data: st.DataObject
) -> None:
    total = sum(map(len, texts))
    draws = data.draw(st.integers(1, total - 1))
    more = rarefied_types(texts, budget=draws + 1) - rarefied_types(texts, budget=draws)
    assert rarefied_coverage(texts, budget=draws) == pytest.approx(1 - more, abs=1e-9)


def test_rarefied_coverage_of_all_but_one_token_is_good_turings() -> None:
    # Leaving one token out misses its type exactly where that type was seen once.
    texts = [[1, 1, 2, 3, 3, 3, 4]]
    assert rarefied_coverage(texts, budget=6) == pytest.approx(
        good_turing_coverage(texts, budget=7)
    )


@pytest.mark.parametrize("total", [10**3, 10**6, 10**9, 10**12])
def test_absence_keeps_its_digits_in_very_long_texts(total: int) -> None:
    # A difference of log-gammas is off by 10^-6 here at 10^9, a tenfold of the answer itself.
    for count in (1, 2, 100):
        exact = Fraction(1)
        for place in range(count):
            exact *= Fraction(total - 150 - place, total - place)
        found = absence(np.array([count]), total, 150)
        assert 1 - found[0] == pytest.approx(float(1 - exact), rel=1e-3)
        assert found[0] == pytest.approx(float(exact), rel=1e-14)


@given(texts=two_tokens)
def test_entropies_equal_scipy_and_a_loop(texts: list[list[int]]) -> None:
    counts, total = counts_of(texts), sum(map(len, texts))
    assert plug_in_entropy(texts, budget=total) == pytest.approx(
        stats.entropy(counts, base=2), abs=1e-12
    )
    singletons = min(counts.count(1), total - 1)
    expected = 0.0
    for count in counts:
        share = (1 - singletons / total) * count / total
        expected -= share * math.log2(share) / (1 - (1 - share) ** total)
    assert chao_shen_entropy(texts, budget=total) == pytest.approx(expected, rel=1e-9, abs=1e-12)
    coverage = 1 - counts.count(1) / total
    assert good_turing_coverage(texts, budget=total) == pytest.approx(coverage)


def test_counts_of_any_size_and_order() -> None:
    counts = np.array([0, 3, 1 << 25, 1, 3])
    assert expected_types(counts, int(counts.sum())) == pytest.approx(4)
    scipys = sum(1 - stats.hypergeom(counts.sum(), count, 150).pmf(0) for count in counts)
    assert expected_types(counts, 150) == pytest.approx(scipys)
    # The commonest type is missed by one draw with a probability of 7 / total only.
    assert absence(counts, int(counts.sum()), 1)[2] == pytest.approx(7 / counts.sum())


def test_all_tokens_equal() -> None:
    texts = [[7] * 50, [7] * 50]
    assert rarefied_types(texts, budget=10) == 1
    assert rarefied_coverage(texts, budget=10) == 1
    assert good_turing_coverage(texts, budget=100) == 1
    assert math.copysign(1, plug_in_entropy(texts, budget=100)) == 1
    assert plug_in_entropy(texts, budget=100) == chao_shen_entropy(texts, budget=100) == 0


def test_all_tokens_distinct() -> None:
    texts = [range(64)]
    assert rarefied_types(texts, budget=10) == pytest.approx(10)
    assert rarefied_coverage(texts, budget=10) == pytest.approx(0)
    assert good_turing_coverage(texts, budget=64) == 0
    assert plug_in_entropy(texts, budget=64) == pytest.approx(6)
    assert chao_shen_entropy(texts, budget=64) > 6


@pytest.mark.parametrize("reading", [rarefied_types, rarefied_coverage])
def test_a_budget_past_the_text_is_named(reading: object) -> None:
    with pytest.raises(ArgumentError, match="`budget` expected from 1 to"):
        reading([[1, 2]], budget=3)  # type: ignore[operator]
    with pytest.raises(ArgumentError, match="`budget` expected from 1 to"):
        reading([[1, 2]], budget=0)  # type: ignore[operator]


@pytest.mark.parametrize("reading", [good_turing_coverage, chao_shen_entropy, plug_in_entropy])
def test_too_few_tokens_are_named(reading: object) -> None:
    with pytest.raises(ArgumentError, match="at least budget = 3 tokens, but got '2 tokens'"):
        reading([[1, 2]], budget=3)  # type: ignore[operator]


def test_no_counts_are_named() -> None:
    with pytest.raises(ArgumentError, match="at least one token"):
        expected_types(np.zeros(3, dtype=np.int64), 1)
