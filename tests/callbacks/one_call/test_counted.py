"""What is rare is counted in human rows, and never in what is looked at."""

import random
from typing import Any

import numpy as np
import pytest
import torch

from collapse_guard import ArgumentError, MixGuard, Source
from collapse_guard.callbacks.one_call.counted import (
    MOST_ROWS,
    counted_in,
    human_rows,
    token_rows,
)
from collapse_guard.callbacks.one_call.held_out import held_out_text
from tests.callbacks.one_call.people import people_write, token_ids, word_tokenizer

TEXTS = people_write(8, 5)
ROWS = [{"input_ids": ids, "labels": ids} for ids in token_ids(TEXTS)]


def test_half_of_the_held_out_text_is_counted_and_the_other_looked_at() -> None:
    tokenizer = word_tokenizer()
    held_out = held_out_text("held_out", TEXTS, tokenizer)
    reference, rest, where = counted_in(None, held_out, tokenizer)
    assert [each.tolist() for each in rest.documents] == token_ids(TEXTS)[1::2]
    counts = np.bincount(np.concatenate(token_ids(TEXTS)[::2]), minlength=reference.vocab_size)
    assert reference.counts.tolist() == counts.tolist()
    assert where == "half of the held-out text"


def test_documents_of_one_label_are_not_torn_apart() -> None:
    tokenizer = word_tokenizer()
    held_out = held_out_text("held_out", TEXTS, tokenizer, ["a", "b", "a", "c", "c", "d", "b", "d"])
    _, rest, _ = counted_in(None, held_out, tokenizer)
    assert rest.groups == ["b", "d", "b", "d"]


def test_too_little_cannot_be_split() -> None:
    tokenizer = word_tokenizer()
    held_out = held_out_text("held_out", TEXTS[:3], tokenizer)
    with pytest.raises(ArgumentError, match=r"at least 4 documents.*give human="):
        counted_in(None, held_out, tokenizer)


def test_training_rows_are_counted_where_they_can_be_had() -> None:
    tokenizer = word_tokenizer()
    held_out = held_out_text("held_out", TEXTS[:2], tokenizer)
    reference, rest, where = counted_in(human_rows(ROWS), held_out, tokenizer)
    assert reference.num_tokens == 40
    assert rest is held_out
    assert where == "8 training rows, which are taken to be human"


def test_of_a_mix_human_sources_count() -> None:
    written = Source([{"input_ids": [9] * 5, "labels": [9] * 5}] * 8, "model", "synthetic")
    mix = MixGuard(ROWS, written, human_fraction=0.5, block_size=4, seed=0)
    found = human_rows(mix)
    assert found is not None
    assert [ids.tolist() for ids in found[0]] == token_ids(TEXTS)
    assert found[1] == "8 human rows of the mix"


@pytest.mark.parametrize(
    "rows",
    [[], [{"text": "a"}], iter(ROWS), None, [{"input_ids": [[1, 2]]}], [(1, 2)], ["abc"]],
)
def test_what_holds_no_token_ids_is_left_alone(rows: Any) -> None:
    assert human_rows(rows) is None


def test_of_many_rows_some_are_read_evenly_and_random_states_stay() -> None:
    class Augmented:
        def __len__(self) -> int:
            return 3 * MOST_ROWS

        def __getitem__(self, row: int) -> dict[str, Any]:
            random.random()
            torch.rand(1)
            return {"input_ids": [row % 5], "attention_mask": [row % 2]}

    before = random.getstate(), torch.get_rng_state()
    found = token_rows(Augmented())
    assert found is not None
    assert len(found[0]) == MOST_ROWS
    assert found[1] == 3 * MOST_ROWS
    assert sum(map(len, found[0])) == pytest.approx(MOST_ROWS / 2, rel=0.01)
    assert random.getstate() == before[0]
    assert torch.equal(torch.get_rng_state(), before[1])
