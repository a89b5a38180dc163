"""Padding is taken off, and told of where nobody took it off."""

import logging
from typing import Any

import numpy as np
import pytest
import torch

from collapse_guard import ArgumentError, diversity
from collapse_guard.diversity import distinct_n, rarefied_types, unpadded
from collapse_guard.readings.against_human import compare_with_human, tail_share
from tests.tiny import tiny_gpt2, tiny_reference, zipf_documents

PAD = 60
TEXTS = [ids[: 20 + 3 * i] for i, ids in enumerate(zipf_documents(8, length=60, seed=4))]
BUDGET = sum(map(len, TEXTS))


def padded(side: str, pad: int = PAD) -> torch.Tensor:
    blanks = [[pad] * (50 - len(ids)) for ids in TEXTS]
    rows = [b + t if side == "left" else t + b for b, t in zip(blanks, TEXTS, strict=True)]
    return torch.tensor(rows)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("by", ["id", "ids", "mask"])
@pytest.mark.parametrize("kind", [torch.Tensor.tolist, torch.Tensor.numpy, lambda rows: rows])
def test_texts_without_their_padding(side: str, by: str, kind: Any) -> None:
    rows = padded(side)
    told = {
        "id": {"pad_token_id": PAD},
        "ids": {"pad_token_id": [PAD, 61]},
        "mask": {"attention_mask": kind((rows != PAD).long())},
    }[by]
    found = unpadded(kind(rows), **told)
    assert [ids.tolist() for ids in found] == TEXTS
    assert distinct_n(found, 2, budget=BUDGET) == distinct_n(TEXTS, 2, budget=BUDGET)
    assert rarefied_types(found, budget=100) == rarefied_types(TEXTS, budget=100)


def test_what_generate_returns() -> None:
    model = tiny_gpt2().eval()
    prompts = torch.tensor([[0, 0, 5, 6], [0, 7, 8, 9], [3, 4, 5, 6], [0, 0, 0, 2]])
    torch.manual_seed(0)
    with torch.no_grad():
        written = model.generate(
            prompts,
            attention_mask=(prompts != 0).long(),
            do_sample=True,
            max_new_tokens=40,
            eos_token_id=list(range(10)),
            pad_token_id=49,
        )
    texts = unpadded(written[:, 4:], pad_token_id=49)
    for row, text in zip(written[:, 4:].tolist(), texts, strict=True):
        assert row == [*text, *[49] * (len(row) - len(text))]
        assert len(text) == 0 or text[-1] != 49


def test_ids_within_a_text_stay_and_nothing_may_be_left() -> None:
    rows = [[1, 1, 5, 1, 6, 2, 1], [1] * 7, [2, 2, 1, 5, 5, 5, 5]]
    found = [ids.tolist() for ids in unpadded(rows, pad_token_id={1})]
    assert found == [[5, 1, 6, 2], [], [2, 2, 1, 5, 5, 5, 5]]
    assert [len(ids) for ids in unpadded(rows, pad_token_id=(1, 2))] == [3, 0, 4]
    assert unpadded(rows, pad_token_id=1)[1].dtype == np.int64


READINGS = {
    "rarefied_types": lambda texts: diversity.rarefied_types(texts, budget=50),
    "distinct_n": lambda texts: diversity.distinct_n(texts, 2, budget=50),
    "self_bleu": lambda texts: diversity.self_bleu(texts, num_texts=4),
    "rep_n_diversity": lambda texts: diversity.rep_n_diversity(texts, length=10),
    "compression_ratio": lambda texts: diversity.compression_ratio(texts, budget=100),
    "ngram_kernel": lambda texts: diversity.ngram_kernel(texts, num_texts=4),
    "tail_share": lambda texts: tail_share(texts, tiny_reference()),
}


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("name", READINGS)
@pytest.mark.parametrize("kind", [torch.Tensor.numpy, lambda rows: rows])
def test_a_padded_tensor_is_refused_with_the_way_out(side: str, name: str, kind: Any) -> None:
    with pytest.raises(ArgumentError, match=r"`documents` .*give unpadded\(documents, .*=49\)"):
        READINGS[name](kind(_with_pad_unused_in_texts(side)))
    READINGS[name](unpadded(_with_pad_unused_in_texts(side), pad_token_id=49))


def _with_pad_unused_in_texts(side: str) -> torch.Tensor:
    rows = padded(side)
    # An id that a reference of 50 types knows, and that no text holds.
    return torch.where(rows == 49, 48, rows).clamp(max=49)


def test_the_argument_is_named_and_rows_one_by_one_are_taken() -> None:
    rows = padded("right")
    with pytest.raises(ArgumentError, match=r"`human` .*unpadded\(human, pad_token_id=60\)"):
        compare_with_human(TEXTS, rows)
    with pytest.raises(ArgumentError, match="`reference` expected texts without padding"):
        diversity.rare_ngram_survival(TEXTS, TEXTS, rows, n=1, max_count=5, budget=50)
    with pytest.raises(ArgumentError, match="`samples` expected documents of whole-number"):
        compare_with_human(["a b c"], TEXTS)
    assert distinct_n(list(rows), 1, budget=50) < 1


def test_lists_that_look_padded_are_told_of(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "collapse_guard"):
        distinct_n(padded("right").tolist(), 1, budget=50)
    assert "8 texts begin or end in runs of token 60" in caplog.text
    assert "unpadded(documents, pad_token_id=60)" in caplog.text


@pytest.mark.parametrize(
    "rows",
    [
        np.zeros((10, 20), dtype=np.int64),
        np.tile(np.array([1, 2, 3, 3]), (10, 1)),
        np.array(zipf_documents(100, length=30)),
        # A loop of a token that the texts have elsewhere.
        np.array([[1, 2, 3, 4, 4, 4], [1, 4, 3, 1, 5, 6], [2, 3, 3, 4, 4, 4]]),
        np.array([[1], [1]]),
        np.zeros((0, 5), dtype=np.int64),
    ],
)
def test_text_of_one_length_is_no_padding(
    rows: np.ndarray[Any, Any], caplog: pytest.LogCaptureFixture
) -> None:
    for given in (rows, torch.from_numpy(rows), rows.tolist(), list(rows)):
        if len(rows):
            assert distinct_n(given, 1, budget=1) == 1
    assert caplog.text == ""


def test_all_texts_in_a_loop_of_one_length_are_a_list_of_arrays_to_the_monitor(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What `Sampling` draws of a model that writes ends for good goes in row by row."""
    distinct_n(list(padded("right").numpy()), 2, budget=100)
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("documents", "told", "message"),
    [
        ([[1, 2]], {}, "`pad_token_id` expected the id of the padding, or `attention_mask`"),
        ([[1, 2]], {"pad_token_id": 0, "attention_mask": [[1, 1]]}, "or `attention_mask`"),
        ([1, 2], {"pad_token_id": 0}, "texts of whole-number token ids"),
        (["ab"], {"pad_token_id": 0}, "texts of whole-number token ids"),
        ([[1, 2]], {"attention_mask": [[1]]}, "`attention_mask` expected a mask for each text"),
        ([[1, 2]], {"attention_mask": []}, "0 masks for 1 texts"),
    ],
)
def test_bad_input_is_named(documents: Any, told: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        unpadded(documents, **told)
