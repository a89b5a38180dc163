from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from collapse_guard.errors import ArgumentError
from collapse_guard.human_text import documents
from collapse_guard.human_text.documents import document_blocks


@given(
    texts=st.lists(st.lists(st.integers(0, 9), max_size=6), max_size=20),
    tokens=st.integers(1, 12),
    count=st.integers(1, 5),
)
def test_all_documents_come_in_their_order_and_few_at_a_time(
    texts: list[list[int]], tokens: int, count: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(documents, "_TOKENS_AT_A_TIME", tokens)
        patch.setattr(documents, "_DOCUMENTS_AT_A_TIME", count)
        blocks = list(document_blocks(iter(texts)))
    assert [ids.tolist() for block in blocks for ids in block.split()] == texts
    for block in blocks:
        assert 1 <= len(block.lengths) <= count
        assert len(block.ids) - block.lengths[-1] < tokens


@pytest.mark.parametrize("document", [[0.5], [[1]], 3, "text", [None]])
def test_what_is_no_document_of_token_ids_is_refused(document: Any) -> None:
    with pytest.raises(ArgumentError, match="`documents` expected a sequence of integer"):
        list(document_blocks([[1], document]))


def test_arrays_of_any_width_become_int64() -> None:
    (block,) = document_blocks([np.array([1, 2], np.uint16), np.array([3], np.int32)])
    assert (block.ids.dtype, block.ids.tolist()) == (np.int64, [1, 2, 3])
