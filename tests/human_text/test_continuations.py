from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers

from collapse_guard import ArgumentError
from collapse_guard.human_text.continuations import continuation_pairs

VOCABULARY = {token: place for place, token in enumerate(["a", "b", "ab", " ", " a", " ab", "c"])}


def make_tokenizer() -> Tokenizer:
    """Merges a space with what follows, and "a" with "b"."""
    merges = [("a", "b"), (" ", "a"), (" ", "ab")]
    tokenizer = Tokenizer(models.BPE(VOCABULARY, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_next")
    return tokenizer


def rows(pairs: Any) -> list[list[int]]:
    return [ids[mask].tolist() for ids, mask in zip(pairs.input_ids, pairs.mask, strict=True)]


def ends(pairs: Any) -> list[list[int]]:
    return [ids[at].tolist() for ids, at in zip(pairs.input_ids, pairs.positions, strict=True)]


def test_one_for_all_is_one_for_each() -> None:
    prompts, one, other = [[5, 6], [7], [8, 9, 4]], [1, 2], [3]
    all_alike = continuation_pairs(prompts, one, other)
    each = continuation_pairs(
        [np.array(p) for p in prompts],
        [one] * 3,
        [torch.tensor(other)] * 3,
    )
    assert (
        rows(all_alike)
        == rows(each)
        == [ids for prompt in prompts for ids in (prompt + one, prompt + other)]
    )
    assert ends(all_alike) == [one, other] * 3
    assert len(all_alike) == 3
    assert all_alike.fingerprint == each.fingerprint
    moved = continuation_pairs([[5], [7], [8, 9, 4]], [[6, 1, 2], one, one], [[6, 3], other, other])
    # The same rows, parted elsewhere.
    assert rows(moved) == rows(all_alike)
    assert moved.fingerprint != all_alike.fingerprint


def test_tensors_and_arrays_are_token_ids() -> None:
    given = continuation_pairs([torch.tensor([5])], torch.tensor([1, 2]), np.array([3]))
    assert rows(given) == [[5, 1, 2], [5, 3]]


def test_a_prefix_stands_before_every_prompt() -> None:
    pairs = continuation_pairs([[], [4]], [1], [2], prefix=[9])
    assert rows(pairs) == [[9, 1], [9, 2], [9, 4, 1], [9, 4, 2]]


def test_texts_are_tokenized_together() -> None:
    pairs = continuation_pairs(["c", "ca"], " ab", " b", tokenizer=make_tokenizer())
    ids = VOCABULARY
    assert ends(pairs) == [[ids[" ab"]], [ids[" "], ids["b"]]] * 2
    assert rows(pairs)[2] == [ids["c"], ids["a"], ids[" ab"]]
    assert pairs.names == ("' ab'", "' b'")


@pytest.mark.parametrize(("prompt", "continuation"), [("c ", "ab"), ("ca", "b")])
def test_a_boundary_inside_a_token_is_refused(prompt: str, continuation: str) -> None:
    with pytest.raises(ArgumentError, match=r"parts from its prompt.*put the space"):
        continuation_pairs([prompt], continuation, "c", tokenizer=make_tokenizer())
    # The second of the two as well.
    with pytest.raises(ArgumentError, match="`alternative` expected a text that"):
        continuation_pairs([prompt], "c", continuation, tokenizer=make_tokenizer())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"prompts": []}, "`prompts` expected at least one prompt"),
        ({"prompts": "one"}, "`prompts` expected at least one prompt"),
        ({"prompts": [[]]}, "`prompts` expected at least one token before"),
        ({"prompts": ["c"]}, "`prompts` expected token ids, since there is no tokenizer"),
        ({"prompts": [[1.5]]}, "`prompts` expected token ids, whole numbers"),
        ({"prompts": [[-100, 1]]}, "`prompts` expected token ids, whole numbers"),
        ({"prompts": [1, 2]}, "`prompts` expected token ids, whole numbers"),
        ({"continuation": []}, "`continuation` expected one for each of 1 prompts"),
        ({"continuation": [[]]}, "`continuation` expected at least one token"),
        ({"alternative": [[2], [3]]}, "`alternative` expected one for each of 1 prompts"),
        ({"alternative": [1]}, "`alternative` expected another continuation"),
        ({"prefix": "c"}, "`prefix` expected token ids"),
        ({"tokenizer": make_tokenizer()}, "`prompts` expected texts"),
        ({"tokenizer": "gpt2"}, "`tokenizer` expected a tokenizer"),
    ],
)
def test_bad_arguments(arguments: dict[str, Any], message: str) -> None:
    usual: dict[str, Any] = {"prompts": [[5, 6]], "continuation": [1], "alternative": [2]}
    with pytest.raises(ArgumentError, match=message):
        continuation_pairs(**(usual | arguments))


def test_a_tokenizer_that_pads_is_refused() -> None:
    tokenizer = make_tokenizer()
    tokenizer.enable_padding(length=9)
    with pytest.raises(ArgumentError, match="no_padding"):
        continuation_pairs(["c"], " a", " ab", tokenizer=tokenizer)
