"""Documents are laid end to end, and cut where they are told to be."""

import numpy as np
import pytest
import torch

from collapse_guard.diversity.corpus import pack, pack_texts, pack_tokens
from collapse_guard.diversity.ngrams import find_ngrams
from collapse_guard.errors import ArgumentError


@pytest.mark.parametrize(
    "documents",
    [
        [[1, 2], [3]],
        [np.array([1, 2], dtype=np.int32), np.array([3], dtype=np.uint16)],
        [torch.tensor([1, 2]), torch.tensor([3])],
        ((1, 2), (3,)),
        iter([[1, 2], [], [3]]),
    ],
)
def test_documents_of_every_kind(documents: object) -> None:
    assert pack(documents).tokens.tolist() == [1, 2, 3]  # type: ignore[arg-type]


def test_budget_cuts_the_last_document() -> None:
    assert pack_tokens([[1, 2], [3, 4], [5]], 3).lengths.tolist() == [2, 1]


@pytest.mark.parametrize(
    ("documents", "message"),
    [
        ([], "at least one token"),
        ([[], []], "2 documents without any"),
        ([[1, -100]], "at least 0, but got -100"),
        (["a b"], "tokenize the text"),
        ("a b", "got 'a b': tokenize the text"),
        ([[[1, 1], [1, 1]], [[2, 2], [2, 2]]], "whole-number token ids"),
        ([1, 2], "put a single document into a list"),
        ([[0.5]], "whole-number token ids"),
        ([[[1, 2]]], "whole-number token ids"),
    ],
)
def test_what_is_no_document_is_named(documents: list[list[int]], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        pack(documents)


def test_texts_that_do_not_suffice_are_named() -> None:
    with pytest.raises(ArgumentError, match="`num_texts` expected at least 2"):
        pack_texts([[1]], 1)
    with pytest.raises(ArgumentError, match="at least num_texts = 2 texts, but got '1 texts'"):
        pack_texts([[1]], 2)
    with pytest.raises(ArgumentError, match="texts of at least 1 token, but got '0 in text 1'"):
        pack_texts([[1], []], 2)
    with pytest.raises(ArgumentError, match="`n` expected at least 1"):
        find_ngrams(pack([[1]]), 0)
