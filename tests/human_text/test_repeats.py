"""Copies among held-out documents, and what of them stands in the training text."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from collapse_guard import ArgumentError, PanelError
from collapse_guard.human_text.repeats import LEAK_SHARE, first_copies, refuse_leaks

SHINGLE = 5


def documents(*texts: list[int]) -> dict[int, np.ndarray]:
    return {number: np.array(ids, dtype=np.int64) for number, ids in enumerate(texts)}


@given(contents=st.lists(st.integers(0, 4), max_size=20))
def test_the_first_of_each_content_is_left(contents: list[int]) -> None:
    by_number = dict(enumerate(contents))
    kept = first_copies({number: str(number) for number in by_number}, by_number)
    assert [by_number[number] for number in kept] == list(dict.fromkeys(contents))
    assert all(contents.index(by_number[number]) == number for number in kept)
    assert all(text == str(number) for number, text in kept.items())


def test_copies_are_told_of(caplog: pytest.LogCaptureFixture) -> None:
    first_copies(documents([1], [2], [1]), {0: "a", 1: "b", 2: "a"})
    assert ["1 of 3 held-out documents" in m for m in caplog.messages] == [True]
    caplog.clear()
    first_copies(documents([1], [2]), {0: "a", 1: "b"})
    assert not caplog.messages


@pytest.mark.parametrize("copied", [0.0, 0.5, 0.75, 1.0])
def test_a_document_is_leaked_from_a_share_of_its_runs_on(copied: float) -> None:
    text = list(range(100, 204))
    kept = round(copied * (len(text) - SHINGLE + 1))
    # The beginning of the document, as many of its runs as are wanted, after text of its own.
    training = [list(range(50)), [7, *text[: kept + SHINGLE - 1]] if kept else [7] * 20]
    held_out = documents(list(range(300, 360)), text)
    if copied >= LEAK_SHARE:
        with pytest.raises(PanelError, match=r"1 of 2 .* document 1, .* training document 1"):
            refuse_leaks(held_out, "training_documents", training, SHINGLE)
    else:
        refuse_leaks(held_out, "training_documents", training, SHINGLE)


@pytest.mark.parametrize(
    ("training", "given"),
    [([], "no token"), ([[], []], "no token"), ([[1, 2, 3], [1]], "2 documents of at most 3 tok")],
)
def test_nothing_to_look_in_is_refused(training: list[list[int]], given: str) -> None:
    with pytest.raises(ArgumentError, match=f"`training_documents` expected .*{given}"):
        refuse_leaks(documents([1, 2, 3, 4, 5, 6]), "training_documents", training, SHINGLE)
    refuse_leaks({}, "training_documents", training, SHINGLE)
