"""Survival of rare n-grams against the average over every draw that there is."""

from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from collapse_guard.diversity import rare_ngram_survival
from collapse_guard.errors import ArgumentError
from tests.diversity.texts import ngrams_of

LENGTH = 5
texts_of_one_length = st.lists(
    st.lists(st.integers(0, 4), min_size=LENGTH, max_size=LENGTH), min_size=3, max_size=6
)


def share_over_all_draws(
    rare: set[tuple[int, ...]], texts: list[list[int]], n: int, drawn: int
) -> float:
    sets = [set(ngrams_of(text, n)) for text in texts]
    shares = [len(rare & set().union(*some)) / len(rare) for some in combinations(sets, drawn)]
    return float(np.mean(shares))


@given(
    samples=texts_of_one_length,
    human=texts_of_one_length,
    reference=texts_of_one_length,
    n=st.integers(1, 3),
    drawn=st.integers(1, 3),
)
def test_equals_the_average_over_all_draws(
    samples: list[list[int]],
    human: list[list[int]],
    reference: list[list[int]],
    n: int,
    drawn: int,
) -> None:
    counter = Counter(gram for text in reference for gram in ngrams_of(text, n))
    rare = {gram for gram, count in counter.items() if count <= 2}
    arguments = {"n": n, "max_count": 2, "budget": drawn * LENGTH}
    if not rare or not share_over_all_draws(rare, human, n, drawn):
        with pytest.raises(ArgumentError):
            rare_ngram_survival(samples, human, reference, **arguments)
        return
    expected = share_over_all_draws(rare, samples, n, drawn) / share_over_all_draws(
        rare, human, n, drawn
    )
    found = rare_ngram_survival(samples, human, reference, **arguments)
    assert found == pytest.approx(expected)


def test_documents_of_unequal_length_hold_the_budget_on_average() -> None:
    # 4 tokens of 8 in 3 documents are 1.5 documents: half-way between 1 and 2 of them.
    reference = [[1], [2], [3]]
    texts = [[1, 9], [2, 9, 9], [9, 9, 9]]
    found = rare_ngram_survival(texts, [[1, 2]], reference, n=1, max_count=1, budget=2)
    assert found == pytest.approx((2 * (2 / 8)) / 2)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_large_ids_read_the_same(n: int) -> None:
    # Their n-grams do not fit into 64 bits, which small ones do.
    generator = np.random.default_rng(0)
    samples, human, reference = generator.integers(0, 9, (3, 20, 30))
    arguments = {"n": n, "max_count": 20 if n == 1 else 3, "budget": 150}
    reference[0, 0] = 9
    human[:, 0] = 9
    small = rare_ngram_survival(samples, human, reference, **arguments)
    shift = 2**40
    large = rare_ngram_survival(samples + shift, human + shift, reference + shift, **arguments)
    assert small == large


def test_human_text_survives_and_repeated_text_does_not() -> None:
    human = [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    arguments = {"n": 2, "max_count": 1, "budget": 9}
    assert rare_ngram_survival(human, human, human, **arguments) == 1
    assert rare_ngram_survival([[1, 2, 3]] * 3, human, human, **arguments) == pytest.approx(1 / 3)
    assert rare_ngram_survival([[0] * 9], human, human, **arguments) == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"budget": 7}, "`budget` expected from 1 to 6, the number of tokens in `samples`"),
        ({"budget": 5, "human": [[1, 2]]}, "number of tokens in `human`"),
        ({"budget": 0}, "`budget` expected at least 1"),
        ({"max_count": 0}, "`max_count` expected at least 1"),
        ({"n": 0}, "`n` expected at least 1"),
        ({"reference": [[1, 1, 1]], "n": 1}, "at most max_count = 1 times"),
        ({"reference": [[1]]}, "at most max_count = 1 times"),
        ({"reference": [[8, 9]]}, "at least one rare n-gram of the reference"),
        ({"samples": [[]]}, "at least one token"),
        ({"samples": [[-1] * 6]}, "at least 0, but got -1"),
    ],
)
def test_bad_arguments_are_named(changes: dict[str, object], message: str) -> None:
    texts = [[1, 2, 3], [4, 5, 6]]
    arguments: dict[str, object] = {
        "samples": texts, "human": texts, "reference": texts, "n": 2, "max_count": 1, "budget": 4,
    }  # fmt: skip
    with pytest.raises(ArgumentError, match=message):
        rare_ngram_survival(**(arguments | changes))  # type: ignore[arg-type]
