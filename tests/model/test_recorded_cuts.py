"""Log-probabilities over recorded types, against dense code, and what vLLM hands over."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st

from collapse_guard.errors import ArgumentError, TokenizerMismatchError
from collapse_guard.model import recorded_cuts
from collapse_guard.model.cuts import cut, is_kept
from collapse_guard.model.decoding import Decoding
from collapse_guard.model.recorded_cuts import (
    RecordedIds,
    recorded_ids,
    recorded_ids_of_vllm,
    recorded_logprob,
)
from collapse_guard.model.sampled_logprob import sampled_logprob

VOCABULARY = 60


def some_tokens(
    rows: int, dtype: torch.dtype = torch.float32, seed: int = 0
) -> tuple[torch.Tensor, torch.Tensor, list[list[int]]]:
    """Logits far from 0, labels, and lists of 1 to all types, of which some lack the label."""
    random = np.random.default_rng(seed)
    logits = torch.from_numpy(30 + 5 * random.standard_normal((rows, VOCABULARY))).to(dtype)
    labels = torch.from_numpy(random.integers(VOCABULARY, size=rows))
    sizes = random.integers(1, VOCABULARY + 1, size=rows)
    sizes[:2] = 1, VOCABULARY
    lists = [random.permutation(VOCABULARY)[:size].tolist() for size in sizes]
    for number in range(2, rows, 2):
        lists[number][0] = int(labels[number])
    return logits, labels, [list(dict.fromkeys(ids)) for ids in lists]


def densely(
    logits: torch.Tensor, labels: torch.Tensor, lists: list[list[int]], temperature: float
) -> torch.Tensor:
    """All at once and differentiable throughout."""
    gone = torch.ones(logits.shape, dtype=torch.bool)
    for row, ids in enumerate(lists):
        gone[row, [*ids, int(labels[row])]] = False
    exact = logits if logits.dtype == torch.float64 else logits.float()
    logprobs = (exact / temperature).masked_fill(gone, -torch.inf).log_softmax(-1)
    return logprobs.gather(1, labels[:, None]).squeeze(1)


@pytest.mark.parametrize("at_a_time", [1, 100, 1 << 20])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_values_and_gradients_are_those_of_dense_code(
    temperature: float, dtype: torch.dtype, at_a_time: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorded_cuts, "_IDS_AT_A_TIME", at_a_time)
    logits, labels, lists = some_tokens(40, dtype)
    ours, theirs = (logits.clone().requires_grad_() for _ in range(2))
    found = recorded_logprob(ours, labels, lists, temperature=temperature)
    expected = densely(theirs, labels, lists, temperature)
    assert found.dtype == expected.dtype == (dtype if dtype.itemsize == 8 else torch.float32)
    assert (found <= 0).all()
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    weights = torch.linspace(-1, 2, 40)
    (found * weights).sum().backward()
    (expected * weights).sum().backward()
    assert ours.grad is not None
    assert theirs.grad is not None
    torch.testing.assert_close(ours.grad, theirs.grad)


@given(st.integers(0, 10_000), st.floats(0.05, 3))
def test_any_lists_give_what_dense_code_gives(seed: int, temperature: float) -> None:
    logits, labels, lists = some_tokens(5, torch.float64, seed)
    found = recorded_logprob(logits, labels, lists, temperature=temperature)
    torch.testing.assert_close(found, densely(logits, labels, lists, temperature))
    # What was not recorded does not count.
    gone = torch.ones(logits.shape, dtype=torch.bool)
    for row, ids in enumerate(lists):
        gone[row, [*ids, int(labels[row])]] = False
    other = logits.masked_fill(gone, 1e6)
    assert torch.equal(recorded_logprob(other, labels, lists, temperature=temperature), found)


def test_gradients_are_differences() -> None:
    logits, labels, lists = some_tokens(6, torch.float64)
    assert torch.autograd.gradcheck(
        lambda leaf: recorded_logprob(leaf, labels, lists, temperature=0.7),
        logits.requires_grad_(),
    )


@pytest.mark.parametrize("decoding", [Decoding(0.8, top_k=9), Decoding(0.6, top_p=0.8)], ids=str)
def test_what_a_cut_leaves_over_is_scored_as_by_the_cut(decoding: Decoding) -> None:
    logits, labels, _ = some_tokens(30)
    scaled = logits / decoding.temperature
    kept = cut(scaled, decoding)
    mask = is_kept(scaled, kept.lowest, kept.ties)
    lists = [row.nonzero().squeeze(1).tolist() for row in mask]
    found = recorded_logprob(logits, labels, lists, temperature=decoding.temperature)
    torch.testing.assert_close(found, sampled_logprob(logits, labels, decoding))


def test_shapes_and_forms() -> None:
    logits, labels, lists = some_tokens(12)
    flat = recorded_logprob(logits, labels, lists, temperature=0.8)
    shaped = recorded_logprob(
        logits.view(3, 4, -1), labels.view(3, 4), recorded_ids(lists), temperature=0.8
    )
    assert torch.equal(shaped, flat.view(3, 4))
    # A type that was recorded twice, and in another order.
    twice = [[*reversed(ids), ids[0]] for ids in lists]
    assert torch.equal(recorded_logprob(logits, labels, twice, temperature=0.8), flat)
    nothing = recorded_logprob(logits[:0], labels[:0], [], temperature=0.8)
    assert nothing.shape == (0,)


def test_gradients_can_be_taken_again() -> None:
    logits, labels, lists = some_tokens(8)
    leaf = logits.requires_grad_()
    loss = recorded_logprob(leaf, labels, lists, temperature=0.8).sum()
    (once,) = torch.autograd.grad(loss, leaf, retain_graph=True)
    (twice,) = torch.autograd.grad(loss, leaf)
    assert torch.equal(once, twice)


def test_a_broken_model_is_seen() -> None:
    logits, labels, lists = some_tokens(3)
    lists[1] = [4, 5]
    logits[1, 5] = torch.nan
    found = recorded_logprob(logits, labels, lists, temperature=0.8)
    assert found.isnan().tolist() == [False, True, False]


def test_impossible_types_pull_at_nothing() -> None:
    logits = torch.tensor([[1.0, 2.0, -torch.inf], [1.0, 2.0, -torch.inf]], requires_grad=True)
    found = recorded_logprob(logits, torch.tensor([1, 2]), [[0, 1, 2], [0, 1]], temperature=1.0)
    assert found[0].item() == pytest.approx(-np.log1p(np.exp(-1)))
    assert found[1].item() == -torch.inf
    found.sum().backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    assert logits.grad[0].sum().item() == pytest.approx(0, abs=1e-6)


TOKENS, MASK = [187, 42, 303], [[187, 326, 512], [42, 88], [303, 11, 22]]
"""As in vLLM's documentation."""


@pytest.mark.parametrize(
    "completion",
    [
        SimpleNamespace(token_ids=TOKENS, sampling_mask=SimpleNamespace(token_ids=MASK)),
        SimpleNamespace(token_ids=tuple(TOKENS), sampling_mask=SimpleNamespace(token_ids=MASK)),
        {"token_ids": TOKENS, "sampling_mask": MASK, "finish_reason": "stop"},
    ],
    ids=["CompletionOutput", "tuple", "endpoint"],
)
def test_what_vllm_hands_over_is_read(completion: Any) -> None:
    recorded = recorded_ids_of_vllm(completion)
    assert recorded.sizes.tolist() == [3, 2, 3]
    parts = recorded.ids.split(recorded.sizes.tolist())
    assert [set(part.tolist()) for part in parts] == [set(ids) for ids in MASK]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"sampling_mask": None}, r"`sampling_mask`, but got .* return_sampling_mask=True"),
        ({"token_ids": None}, "a completion of vLLM with `token_ids`"),
        ({"sampling_mask": MASK[:2]}, "for each of 3 tokens, but got 2"),
        ({"sampling_mask": [MASK[0], MASK[2], MASK[1]]}, "token 1, 42, among those"),
    ],
)
def test_what_does_not_fit_together_is_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=f"`completion` expected .*{message}"):
        recorded_ids_of_vllm({"token_ids": TOKENS, "sampling_mask": MASK, **changed})


def test_bad_arguments_are_named() -> None:
    logits, labels, lists = some_tokens(4)
    ids, sizes = recorded_ids(lists)
    with pytest.raises(ArgumentError, match=r"`labels` expected int64 of shape \(4,\)"):
        recorded_logprob(logits, labels[:3], lists, temperature=1.0)
    with pytest.raises(ArgumentError, match="`kept` expected a list of ids for each of 4 labels"):
        recorded_logprob(logits, labels, lists[:3], temperature=1.0)
    with pytest.raises(ArgumentError, match="`kept` expected a list of ids"):
        recorded_logprob(logits, labels, RecordedIds(ids[:-1], sizes), temperature=1.0)
    with pytest.raises(ArgumentError, match=r"`kept` expected at least one id .* for label 2"):
        recorded_logprob(logits, labels, [*lists[:2], [], lists[3]], temperature=1.0)
    with pytest.raises(ArgumentError, match=r"`temperature` expected .* at least 0\.05"):
        recorded_logprob(logits, labels, lists, temperature=0.01)
    with pytest.raises(TokenizerMismatchError, match="token id 60 in `kept`"):
        recorded_logprob(logits, labels, [*lists[:3], [VOCABULARY]], temperature=1.0)
    with pytest.raises(TokenizerMismatchError, match="token id -100 in `labels`"):
        recorded_logprob(logits, torch.full_like(labels, -100), lists, temperature=1.0)
