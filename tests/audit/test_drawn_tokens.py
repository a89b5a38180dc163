"""Which tokens are looked at, and that they are paired with what a model gives for them."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import datasets
import numpy as np
import pytest
import torch

from collapse_guard.audit.drawn_tokens import DrawnTokens, find_drawn_tokens
from collapse_guard.errors import ArgumentError
from collapse_guard.rows.row_source import RowSource

TYPES = 1000


class Echo(torch.nn.Module):
    """Predicts the token that it reads: so logits tell which context they are of."""

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.one_hot(input_ids, TYPES).float()


def find(rows: Any, **options: Any) -> DrawnTokens:
    settings: dict[str, Any] = {
        "column": None,
        "encode": None,
        "documents": None,
        "prefix": (),
        "every": 1,
        "max_rows": None,
        "max_tokens": 100,
        "batch_size": 3,
    }
    return find_drawn_tokens(RowSource("rows", rows), **{**settings, **options})


def pairs(tokens: DrawnTokens) -> list[tuple[int, int]]:
    """The token before each one that is looked at, and it."""
    found = []
    for scored in tokens.scored(Echo()):
        found += zip(scored.logits.argmax(1).tolist(), scored.targets.tolist(), strict=True)
    return found


def naively(rows: Sequence[dict[str, Any]], *, prefix: Sequence[int] = ()) -> list[tuple[int, int]]:
    found = []
    for row in rows:
        ids, mask = row["input_ids"], row.get("attention_mask", [1] * len(row["input_ids"]))
        drawn = row.get("drawn_mask", [1] * len(ids))
        text = [(token, was) for token, own, was in zip(ids, mask, drawn, strict=True) if own]
        text = [(token, 0) for token in prefix] + text
        found += [(before, token) for (before, _), (token, was) in pairwise(text) if was]
    return found


def some_rows(count: int, *, padded: bool = True, masked: bool = True) -> list[dict[str, Any]]:
    """Rows padded on the left, on the right, in the middle or not at all."""
    random = np.random.default_rng(0)
    rows = []
    for _ in range(count):
        length = int(random.integers(3, 12))
        row = {"input_ids": random.integers(0, TYPES, length).tolist()}
        if padded:
            row["attention_mask"] = (random.random(length) < 0.8).astype(int).tolist()
        if masked:
            row["drawn_mask"] = (random.random(length) < 0.6).astype(int).tolist()
        rows.append(row)
    return rows


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("prefix", [(), (7,), (7, 8, 9)])
def test_each_drawn_token_is_met_with_its_context(
    padded: bool, masked: bool, prefix: tuple[int, ...]
) -> None:
    rows = some_rows(20, padded=padded, masked=masked)
    expected = naively(rows, prefix=prefix)
    assert pairs(find(rows, prefix=prefix)) == expected
    as_arrow = datasets.Dataset.from_list(rows)
    assert pairs(find(as_arrow, prefix=prefix)) == expected


def test_masks_may_be_truth_values() -> None:
    rows = some_rows(5)
    truths = [{**row, "drawn_mask": [bool(was) for was in row["drawn_mask"]]} for row in rows]
    assert pairs(find(truths)) == pairs(find(datasets.Dataset.from_list(truths))) == naively(rows)


def test_every_fourth_token_is_one_in_four_of_each_place() -> None:
    rows = [{"input_ids": list(range(41))} for _ in range(40)]
    found = pairs(find(rows, every=4))
    assert len(found) == 400
    assert set(np.bincount([token for _, token in found])[1:]) == {10}


def test_long_rows_are_read_from_their_beginning() -> None:
    rows = [{"input_ids": list(range(9))}, {"input_ids": [5, 6]}]
    assert pairs(find(rows, max_tokens=4)) == [(0, 1), (1, 2), (2, 3), (5, 6)]
    assert pairs(find(rows, max_tokens=2, prefix=(50,))) == [(50, 0), (0, 1), (50, 5), (5, 6)]


def test_some_rows_are_spread_over_all() -> None:
    tokens = find([[row, row] for row in range(100)], max_rows=5)
    assert tokens.rows.tolist() == [0, 20, 40, 60, 80]
    assert find([[1, 2]] * 3, max_rows=5).rows.tolist() == [0, 1, 2]


def test_documents_are_told_by_any_names() -> None:
    rows = [[1, 2], [3, 4], [5, 6], [7, 8]]
    for names in (["b", "a", "b", "c"], [(9, 1), None, (9, 1), 4], np.array([5, -1, 5, 0])):
        assert find(rows, documents=names).documents.tolist() == [0, 1, 0, 2]
    assert find(rows).documents.tolist() == [0, 1, 2, 3]
    (scored, *_) = find(rows, documents=["b", "a", "b", "c"], batch_size=9).scored(Echo())
    assert scored.documents.tolist() == [0, 1, 0, 2]
    assert scored.where.tolist() == [[row, 1] for row in range(4)]


def test_rows_without_a_token_to_look_at_are_passed_over() -> None:
    rows = [{"input_ids": ids} for ids in ([], [4], [5, 6], [])]
    assert pairs(find(rows, batch_size=2)) == [(5, 6)]
    assert pairs(find([{"input_ids": [4, 5], "drawn_mask": [1, 0]}])) == []


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ArgumentError, match="drawn_mask"):
        pairs(find([{"input_ids": [1, 2], "drawn_mask": [1]}]))
    with pytest.raises(ArgumentError, match="`documents`"):
        find([[1, 2], [3, 4]], documents=[0])
    with pytest.raises(ArgumentError, match="`tokenizer`"):
        find(["one text"])
    with pytest.raises(ArgumentError, match="token ids, since"):
        find([{"text": "one", "drawn_mask": [1]}], encode=lambda texts: pytest.fail("unused"))
