from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy
from transformers import DataCollatorWithFlattening

from collapse_guard.errors import ArgumentError
from collapse_guard.mixing.packing.pack import pack_of, segment_of
from collapse_guard.mixing.packing.pack_collator import PackCollator
from tests.tiny import tiny_gpt2, tiny_llama

ROWS = [
    {"input_ids": [5, 6, 7, 8]},
    {"input_ids": [9, 3], "labels": [9, 3]},
    {"input_ids": [4, 4, 2, 6, 1], "labels": [-100, -100, 2, 6, 1]},
    {"input_ids": [1]},
    {"input_ids": [2, 9, 9]},
]


def batch() -> dict[str, torch.Tensor]:
    segments = [segment_of(row, 9) for row in ROWS]
    return PackCollator()([pack_of(segments[:2]), pack_of(segments[2:])])


def test_it_is_what_transformers_makes_of_the_rows() -> None:
    rows = [{"labels": row["input_ids"], **row} for row in ROWS]
    flattened = DataCollatorWithFlattening()(rows)
    ours = batch()
    assert set(ours) == {"input_ids", "labels", "position_ids"}
    for name, values in ours.items():
        assert values.tolist() == flattened[name].tolist()


def losses(model: Any, inputs: dict[str, torch.Tensor], **settings: Any) -> torch.Tensor:
    """The loss of each token that is trained on, in order."""
    given = {name: values for name, values in inputs.items() if name != "labels"}
    with torch.no_grad():
        logits = model(**given, **settings).logits[0, :-1]
    labels = inputs["labels"][0, 1:]
    every = cross_entropy(logits, labels, reduction="none", ignore_index=-100)
    return every[labels != -100]


def row_by_row(model: Any) -> torch.Tensor:
    each = []
    for row in ROWS:
        tensors = {name: torch.tensor([values]) for name, values in row.items()}
        each.append(losses(model, {"labels": tensors["input_ids"], **tensors}, use_cache=False))
    return torch.cat(each)


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("tiny", [tiny_llama, tiny_gpt2])
def test_a_pack_has_the_losses_of_its_rows(tiny: Any, attention: str) -> None:
    model = tiny().eval()
    model.set_attn_implementation(attention)
    alone, packed = row_by_row(model), losses(model, batch(), use_cache=False)
    assert len(alone) == len(packed) == 3 + 1 + 3 + 0 + 2
    torch.testing.assert_close(packed, alone)


def test_positions_are_what_keeps_segments_apart_and_a_cache_undoes_it() -> None:
    """So that a change in transformers on which all of this rests is noticed."""
    model = tiny_llama().eval()
    alone = row_by_row(model)
    plain = {name: values for name, values in batch().items() if name != "position_ids"}
    ones = {**batch(), "attention_mask": torch.ones_like(plain["input_ids"])}
    for inputs, settings in ((plain, {"use_cache": False}), (ones, {"use_cache": False})):
        apart = losses(model, inputs, **settings)
        assert (apart - alone).abs().max() > 1e-3
    cached = losses(model, batch(), use_cache=True)
    assert (cached - alone).abs().max() > 1e-3


@pytest.mark.parametrize(
    "rows",
    [
        [],
        None,
        [{"input_ids": [1], "labels": [1]}],
        [{"input_ids": [1], "labels": [1, 2], "position_ids": [0]}],
        [{"input_ids": ["a"], "labels": ["a"], "position_ids": [0]}],
    ],
)
def test_what_is_no_pack_is_refused(rows: Any) -> None:
    with pytest.raises(ArgumentError, match="`rows` expected packs"):
        PackCollator()(rows)
