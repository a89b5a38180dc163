"""The table of n-grams and documents is that of a counter for each document."""

from collections import Counter

import numpy as np
from hypothesis import given, strategies as st

from collapse_guard.diversity.corpus import pack
from collapse_guard.diversity.ngrams import find_ngrams
from collapse_guard.diversity.occurrences import find_occurrences
from tests.diversity.texts import ngrams_of, texts_of

filled_texts = texts_of().filter(any)


@given(texts=filled_texts, n=st.integers(1, 4))
def test_occurrences_equal_a_counter_per_document(texts: list[list[int]], n: int) -> None:
    counters = [Counter(ngrams_of(text, n)) for text in texts]
    found = find_occurrences(find_ngrams(pack(texts), n))
    cells = Counter(zip(found.documents.tolist(), found.counts.tolist(), strict=True))
    assert cells == Counter((d, c) for d, counter in enumerate(counters) for c in counter.values())
    containing = Counter(gram for counter in counters for gram in counter)
    assert sorted(found.document_counts.tolist()) == sorted(containing.values())
    assert found.types.tolist() == sorted(found.types.tolist())


def test_many_documents_of_large_ids() -> None:
    # 4-grams of 32-bit ids by documents overflow unless they are renumbered on the way.
    generator = np.random.default_rng(0)
    texts = (generator.integers(0, 40, (500, 30)) + 2**31).astype(np.int64)
    found = find_occurrences(find_ngrams(pack(texts), 4))
    counters = [Counter(ngrams_of(text.tolist(), 4)) for text in texts]
    assert len(found.types) == sum(map(len, counters))
    assert len(found.starts) == len(set().union(*counters))
