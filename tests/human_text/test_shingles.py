"""Hashes of runs of tokens are equal where the runs are, and only there."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from collapse_guard.human_text.shingles import document_shingles, shingle_hashes

documents_of_ids = st.lists(st.lists(st.integers(0, 3), max_size=8), max_size=6)


@given(documents_of_ids, st.integers(1, 4))
def test_runs_within_documents_are_told_apart(documents: list[list[int]], shingle: int) -> None:
    runs = [
        (owner, tuple(document[start : start + shingle]))
        for owner, document in enumerate(documents)
        for start in range(len(document) - shingle + 1)
    ]
    ids = np.array([token for document in documents for token in document], dtype=np.int64)
    lengths = np.array([len(document) for document in documents], dtype=np.int64)
    hashes, owners = document_shingles(ids, lengths, shingle)
    assert owners.tolist() == [owner for owner, _ in runs]
    by_hash = dict(zip(hashes.tolist(), [run for _, run in runs], strict=True))
    assert [by_hash[each] for each in hashes.tolist()] == [run for _, run in runs]
    assert len(by_hash) == len({run for _, run in runs})


def test_many_runs_do_not_collide() -> None:
    hashes = shingle_hashes(np.arange(1_000_000), 5)
    assert (hashes.dtype, len(np.unique(hashes))) == (np.uint64, 999_996)


@pytest.mark.parametrize("tokens", [0, 1, 2])
def test_text_shorter_than_a_run_has_none(tokens: int) -> None:
    assert len(shingle_hashes(np.arange(tokens), 3)) == 0
