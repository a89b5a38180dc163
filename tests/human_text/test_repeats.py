"""Copies among held-out documents, and what of them stands in the training text."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from collapse_guard import ArgumentError, PanelError
from collapse_guard.human_text.repeats import (
    LEAK_SHARE,
    SHINGLE_BITS,
    first_copies,
    join_near_copies,
    refuse_leaks,
    shingle_length,
)
from collapse_guard.human_text.windows import cut_all

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


@given(entropy=st.floats(0.0, 20.0))
def test_runs_are_as_short_as_hold_enough(entropy: float) -> None:
    length = shingle_length(entropy)
    assert length * max(entropy, 1.0) >= SHINGLE_BITS
    assert (length - 1) * max(entropy, 1.0) < SHINGLE_BITS


def four_documents() -> dict[int, np.ndarray]:
    """Of which the last is the second one with another beginning."""
    texts = [list(range(1000 * i, 1000 * i + 100)) for i in range(3)]
    return documents(*texts, [*range(5000, 5020), *texts[1][20:]])


def test_near_copies_are_one_unit_and_told_of(caplog: pytest.LogCaptureFixture) -> None:
    windows = cut_all(four_documents(), np.arange(4), 20, None)
    assert join_near_copies(windows, SHINGLE).tolist() == [*([0] * 5 + [1] * 5 + [2] * 5 + [1] * 5)]
    (message,) = caplog.messages
    assert message.startswith("2 of 4 held-out documents share most of their runs of 5 tokens")
    assert "the first: document 3 with document 1" in message
    assert "3 independent documents are left of 4" in message


def test_near_copies_of_two_groups_join_them(caplog: pytest.LogCaptureFixture) -> None:
    given = four_documents()
    apart = cut_all(given, np.array([0, 1, 1, 0]), 20, None)
    assert set(join_near_copies(apart, SHINGLE).tolist()) == {0}
    assert len(caplog.messages) == 1
    caplog.clear()
    together = cut_all(given, np.array([0, 1, 0, 1]), 20, None)
    np.testing.assert_array_equal(join_near_copies(together, SHINGLE), together.groups)
    assert not caplog.messages
