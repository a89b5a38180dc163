"""From documents as they are given to those that a panel is cut from."""

import numpy as np
import pytest

from collapse_guard import ArgumentError, HumanReference, PanelError, TokenizerMismatchError
from collapse_guard.human_text.usable_documents import as_ids, usable_documents
from tests.tiny import tiny_reference

PAD = 3


def reference() -> HumanReference:
    counts = np.array([6, 3, 1, 0])
    return HumanReference(counts=counts, special_ids=(PAD,))


def test_ids_are_checked() -> None:
    assert as_ids([], tiny_reference()).dtype == np.int64
    assert as_ids(np.array([7], np.int32), tiny_reference()).dtype == np.int64
    with pytest.raises(ArgumentError, match="`documents` expected integer token ids"):
        as_ids(np.array([0.5]), tiny_reference())
    with pytest.raises(TokenizerMismatchError):
        as_ids([50], tiny_reference())


def test_padding_short_documents_and_copies_are_left_out() -> None:
    documents = [[0, 1, 2, 0, PAD, PAD], [0, 1, PAD, PAD], [1, 1, 2], [0, 1, 2, 1], [0, 1, 2, 0, 1]]
    given = {10 + number: np.array(ids) for number, ids in enumerate(documents)}
    kept = usable_documents(given, reference(), 3, drop_short=True)
    # The last two begin with the window of the first, and nothing else of them is used.
    assert {number: ids.tolist() for number, ids in kept.items()} == {
        10: [0, 1, 2, 0],
        12: [1, 1, 2],
    }
    with pytest.raises(PanelError, match="the first: document 11 with 2"):
        usable_documents(given, reference(), 3, drop_short=False)
