"""Held-out text, in each form that people have it in."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from datasets import Dataset

from collapse_guard import ArgumentError
from collapse_guard.callbacks.one_call.held_out import MOST_DOCUMENTS, held_out_text
from tests.callbacks.one_call.people import CHAT, people_write, token_ids, word_tokenizer

TEXTS = people_write(6, 5)
ROWS = [{"text": text, "title": str(number // 2)} for number, text in enumerate(TEXTS)]
HALVES = [(" ".join(t.split()[:2]), " " + " ".join(t.split()[2:])) for t in TEXTS]


@pytest.mark.parametrize(
    "given",
    [
        lambda: TEXTS,
        lambda: ROWS,
        lambda: Dataset.from_list(ROWS),
        lambda: Dataset.from_list(ROWS)["text"],
        lambda: Dataset.from_list(ROWS).to_iterable_dataset(),
        lambda: Dataset.from_list(ROWS).to_pandas(),
        lambda: {"body": TEXTS},
        lambda: [{"prompt": a, "completion": b} for a, b in HALVES],
        lambda: [{"input_ids": ids} for ids in token_ids(TEXTS)],
        lambda: [
            {"input_ids": [1, *ids], "attention_mask": [0] + [1] * 5} for ids in token_ids(TEXTS)
        ],
        lambda: [{"messages": said(text)} for text in TEXTS],
        lambda: [{"prompt": said(a), "completion": said(b)} for a, b in HALVES],
    ],
)
def test_every_form_says_the_same(given: Callable[[], Any]) -> None:
    found = held_out_text("held_out", given(), word_tokenizer())
    assert [each.tolist() for each in found.documents] == token_ids(TEXTS)
    assert (found.given, found.groups) == (6, None)


def test_chats_go_through_the_template() -> None:
    tokenizer = word_tokenizer()
    tokenizer.chat_template = CHAT
    found = held_out_text("held_out", [{"messages": said("w3 w4")}], tokenizer)
    assert found.documents[0].tolist() == [0, 3, 4]


def test_of_many_documents_some_are_read_evenly_with_their_labels() -> None:
    count = MOST_DOCUMENTS * 2 - 1
    ids = [{"input_ids": [number % 7, number % 5]} for number in range(count)]
    found = held_out_text("held_out", ids, word_tokenizer(), range(count))
    assert found.groups == list(range(0, count, 2))
    assert found.documents[3].tolist() == ids[6]["input_ids"]
    assert found.given == count


def test_labels_are_a_list_or_a_column() -> None:
    tokenizer = word_tokenizer()
    for groups in ("title", ["0", "0", "1", "1", "2", "2"]):
        found = held_out_text("held_out", ROWS, tokenizer, groups)
        assert found.groups == ["0", "0", "1", "1", "2", "2"]
    for wrong in ("author", ["0"]):
        with pytest.raises(ArgumentError, match="`groups` expected"):
            held_out_text("held_out", ROWS, tokenizer, wrong)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("one text", "a list of documents"),
        ([], "texts, or a data set"),
        ([{"a": "x", "b": "y"}], r"\['a', 'b'\]"),
        ([3, 4], "texts, or a data set"),
        ([{"input_ids": "w2"}], "texts, or a data set"),
        (None, "a list of documents"),
    ],
)
def test_what_is_none_is_refused_by_name(given: Any, says: str) -> None:
    with pytest.raises(ArgumentError, match=f"`held_out` expected.*{says}"):
        held_out_text("held_out", given, word_tokenizer())


def said(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def test_documents_are_arrays_of_whole_numbers() -> None:
    (document,) = held_out_text("held_out", TEXTS[:1], word_tokenizer()).documents
    assert document.dtype == np.int64
