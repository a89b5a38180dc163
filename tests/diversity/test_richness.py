"""Types, coverage and entropy against scipy, exact fractions and naive loops."""

import math
from collections import Counter

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
