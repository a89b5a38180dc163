import numpy as np

from collapse_guard import HeldOutPanel, HumanReference, Source
from collapse_guard.audit import audit_rows
from tests.audit.texts import WORDS, random_rows

REFERENCE = HumanReference(np.where(np.arange(len(WORDS)) % 2, 100, 5))


def _panel_and_documents() -> tuple[HeldOutPanel, list[list[int]]]:
    documents = random_rows(12, seed=11, least=64, most=65)
    return HeldOutPanel.from_token_ids(documents, REFERENCE, window=32), documents


def test_rows_that_hold_held_out_text_are_named() -> None:
    panel, documents = _panel_and_documents()
    other = random_rows(30, seed=12)
    rows = [
        *other,
        documents[3],  # whole
        other[0] * 5 + documents[7] + other[1] * 5,  # within a longer row
        documents[9][10:40],  # a piece, across two windows
        other[2] + documents[9][:18],  # a short quotation
    ]
    report = audit_rows([Source(rows, "web", "synthetic")], panel=panel)
    (leaked,) = report.leaked
    assert leaked.rows.tolist() == [30, 31, 32]
    assert leaked.documents.tolist() == [3, 7, 9]
    assert (leaked.share >= 0.7).all()
    assert report.bad_rows("web").tolist() == [30, 31, 32]
    assert "web: 3 rows hold text of 3 held-out documents: 30, 31, 32" in str(report)


def test_a_prefix_of_the_panel_is_no_leak() -> None:
    documents = random_rows(8, seed=1, least=40, most=41)
    prefix = list(range(20))
    panel = HeldOutPanel.from_token_ids(documents, REFERENCE, window=40, prefix=prefix)
    report = audit_rows([Source([prefix], "web", "human")], panel=panel)
    assert report.leaked == ()
