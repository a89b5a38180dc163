"""Codes and counts of n-grams against tuples and Counters."""

from collections import Counter

from hypothesis import given, strategies as st

from collapse_guard.diversity.corpus import pack
from collapse_guard.diversity.ngrams import count_ngrams, find_ngrams
from tests.diversity.texts import ngrams_of, texts_of

filled_texts = texts_of().filter(any)


@given(texts=filled_texts, n=st.integers(1, 6))
def test_codes_are_equal_exactly_where_ngrams_are(texts: list[list[int]], n: int) -> None:
    found = find_ngrams(pack(texts), n)
    expected = [(gram, place) for place, text in enumerate(texts) for gram in ngrams_of(text, n)]
    assert found.documents.tolist() == [place for _, place in expected]
    codes = found.codes.tolist()
    assert len(codes) == len(expected)
    pairs = {(code, gram) for code, (gram, _) in zip(codes, expected, strict=True)}
    assert len(pairs) == len(set(codes)) == len({gram for gram, _ in expected})
    assert all(0 <= code < found.bound for code in codes)


@given(texts=filled_texts, n=st.integers(1, 4))
def test_counts_equal_a_counter(texts: list[list[int]], n: int) -> None:
    counter = Counter(gram for text in texts for gram in ngrams_of(text, n))
    found = find_ngrams(pack(texts), n)
    assert sorted(count_ngrams(found).tolist()) == sorted(counter.values())
