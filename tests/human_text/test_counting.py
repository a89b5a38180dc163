"""Token ids are counted alike however they are handed over."""

import weakref
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest
from datasets import Dataset, IterableDataset
from hypothesis import given

from collapse_guard import ArgumentError, HumanReference
from tests.human_text.test_reference import documents_of_ids


@given(documents_of_ids)
def test_counts_match_a_counter(documents: list[list[int]]) -> None:
    expected = Counter(token for document in documents for token in document)
    for given_as in (
        documents,
        (np.array(document, dtype=np.int32) for document in documents),
        [token for document in documents for token in document],
    ):
        counts = HumanReference.from_token_ids(given_as, vocab_size=10).counts
        assert counts.tolist() == [expected[token] for token in range(10)]


def test_counts_more_rows_than_are_read_at_a_time() -> None:
    reference = HumanReference.from_token_ids(([i % 3] for i in range(25_000)), vocab_size=3)
    assert reference.counts.tolist() == [8334, 8333, 8333]


def test_large_blocks_are_counted_one_by_one() -> None:
    given: list[weakref.ref[np.ndarray]] = []

    def blocks() -> Iterator[np.ndarray]:
        for _ in range(5):
            # The one before is still in the hands of the loop that counts.
            assert sum(block() is not None for block in given) <= 1
            block = np.zeros(20_000, dtype=np.int32)
            given.append(weakref.ref(block))
            yield block

    assert HumanReference.from_token_ids(blocks(), vocab_size=1).counts.tolist() == [100_000]


@pytest.mark.parametrize("shuffled", [False, True])
def test_counts_a_dataset_column(shuffled: bool) -> None:
    rows = [[1, 2, 3], [], [3, 3, 0]]
    dataset = Dataset.from_dict({"ids": rows, "text": ["a", "b", "c"]})
    if shuffled:
        # An index mapping over the Arrow table, with one row left out.
        dataset = dataset.select([2, 0])
    reference = HumanReference.from_dataset(dataset, "ids", vocab_size=5)
    assert reference.counts.tolist() == [1, 1, 1, 3, 0]


def test_counts_a_streamed_column() -> None:
    stream = Dataset.from_dict({"input_ids": [[1, 2], [2]]}).to_iterable_dataset()
    assert isinstance(stream, IterableDataset)
    assert HumanReference.from_dataset(stream, vocab_size=3).counts.tolist() == [0, 1, 2]


@pytest.mark.parametrize("ids", [[-1], [3]])
def test_ids_out_of_the_vocabulary(ids: list[int]) -> None:
    with pytest.raises(ArgumentError, match=rf"from 0 to 2 .* but got {ids[0]}"):
        HumanReference.from_token_ids([[0], ids], vocab_size=3)
