"""Types, coverage and entropy against scipy, exact fractions and naive loops."""

import math
from collections import Counter
from itertools import chain, combinations
from statistics import mean

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
def test_rarefied_types_of_single_tokens_equal_scipys_hypergeometric(
    texts: list[list[int]], data: st.DataObject
) -> None:
    counts, total = counts_of(texts), sum(map(len, texts))
    draws = data.draw(st.integers(1, total))
    expected = sum(1 - stats.hypergeom(total, count, draws).pmf(0) for count in counts)
    singles = [[token] for text in texts for token in text]
    assert rarefied_types(singles, budget=draws) == pytest.approx(expected, rel=1e-9)


@given(texts=two_tokens, data=st.data())
def test_one_more_token_is_new_where_the_others_do_not_cover_it(
    texts: list[list[int]], data: st.DataObject
) -> None:
    singles = [[token] for text in texts for token in text]
    draws = data.draw(st.integers(1, len(singles) - 1))
    more = rarefied_types(singles, budget=draws + 1) - rarefied_types(singles, budget=draws)
    assert rarefied_coverage(singles, budget=draws) == pytest.approx(1 - more, abs=1e-9)


def blocks(data: st.DataObject, *, length: int) -> list[list[int]]:
    """Documents of one length, or of two or three times as much."""
    text = st.lists(st.integers(0, 6), min_size=length, max_size=length)
    some = st.lists(text, min_size=1, max_size=3).map(lambda parts: list(chain(*parts)))
    return data.draw(st.lists(some, min_size=2, max_size=4))


@given(data=st.data(), length=st.integers(1, 4))
def test_rarefied_figures_are_means_over_all_draws(data: st.DataObject, length: int) -> None:
    """Each document is cut at the budget, and one piece is drawn: of all, or of another document.

    With documents no longer than a piece, draws of several are tried too.
    """
    documents = blocks(data, length=length)
    pieces = [
        (owner, document[start : start + length])
        for owner, document in enumerate(documents)
        for start in range(0, len(document), length)
    ]
    drawn = 1
    if len(pieces) == len(documents):
        drawn = data.draw(st.integers(1, len(pieces) - 1))
    else:
        assert rarefied_types(documents, budget=length) == pytest.approx(
            rarefied_types([piece for _, piece in pieces], budget=length)
        )
    budget = drawn * length
    draws = [{t for _, piece in some for t in piece} for some in combinations(pieces, drawn)]
    expected = mean(len(types) for types in draws)
    assert rarefied_types(documents, budget=budget) == pytest.approx(expected)
    covered = []
    for owner, piece in pieces:
        others = [each for each in pieces if each[0] != owner]
        for some in combinations(others, drawn):
            types = {token for _, other in some for token in other}
            # As many draws for each token, whatever the number of other pieces.
            weight = math.comb(len(others), drawn)
            covered.append(sum(token in types for token in piece) / weight)
    assert rarefied_coverage(documents, budget=budget) == pytest.approx(
        sum(covered) / sum(map(len, documents)), abs=1e-12
    )


def test_empty_documents_hold_nothing_to_draw() -> None:
    texts = [[1, 1, 2], [2, 3, 4], [5, 6]]
    with_empty = [[], texts[0], [], *texts[1:], []]
    assert rarefied_types(with_empty, budget=4) == rarefied_types(texts, budget=4)
    assert rarefied_coverage(with_empty, budget=4) == rarefied_coverage(texts, budget=4)


def test_coverage_needs_other_documents() -> None:
    with pytest.raises(ArgumentError, match="at least 2 that hold a token, but got 1"):
        rarefied_coverage([[1, 2, 3], []], budget=1)
    with pytest.raises(
        ArgumentError, match=r"from 1 to 3 tokens, on average .* without the longest"
    ):
        rarefied_coverage([[1, 2, 3, 4], [5, 6]], budget=4)


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
    assert rarefied_coverage([range(32), range(32, 64)], budget=10) == pytest.approx(0)
    assert good_turing_coverage(texts, budget=64) == 0
    assert plug_in_entropy(texts, budget=64) == pytest.approx(6)
    assert chao_shen_entropy(texts, budget=64) > 6


@pytest.mark.parametrize("reading", [rarefied_types, rarefied_coverage])
def test_a_budget_past_the_text_is_named(reading: object) -> None:
    with pytest.raises(ArgumentError, match="`budget` expected from 1 to"):
        reading([[1], [2]], budget=3)  # type: ignore[operator]
    with pytest.raises(ArgumentError, match="`budget` expected at least 1"):
        reading([[1], [2]], budget=0)  # type: ignore[operator]


@pytest.mark.parametrize("reading", [good_turing_coverage, chao_shen_entropy, plug_in_entropy])
def test_too_few_tokens_are_named(reading: object) -> None:
    with pytest.raises(ArgumentError, match="at least budget = 3 tokens, but got '2 tokens'"):
        reading([[1, 2]], budget=3)  # type: ignore[operator]
