"""The log-probability under the sampler's law, against naive code, and its gradient."""

import pytest
import torch
from torch.nn import functional as F

from collapse_guard.errors import ArgumentError, TokenizerMismatchError
from collapse_guard.model.cuts import cut, is_kept
from collapse_guard.model.decoding import VLLM_ORDER, Decoding
from collapse_guard.model.next_token import candidates
from collapse_guard.model.sampled_logprob import sampled_logprob

DECODINGS = [
    Decoding(),
    Decoding(temperature=0.8),
    Decoding(top_k=10),
    Decoding(top_p=0.8),
    Decoding(min_p=0.05),
    Decoding(temperature=0.8, top_p=0.95),
    Decoding(temperature=1.3, top_k=30, top_p=0.9, min_p=0.02, order=VLLM_ORDER),
]
EVERY_DECODING = pytest.mark.parametrize("decoding", DECODINGS, ids=str)
SIZES = pytest.mark.parametrize("vocabulary", [40, 6_000], ids=["whole rows", "a few columns"])


def some_logits(
    rows: int, vocabulary: int, dtype: torch.dtype = torch.float32
) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits from flat to peaked, with labels of which some are below any cut."""
    generator = torch.Generator().manual_seed(0)
    spread = torch.linspace(1, 6, rows)[:, None]
    logits = (spread * torch.randn(rows, vocabulary, generator=generator)).to(dtype)
    labels = logits.topk(min(rows, vocabulary)).indices.diagonal().clone()
    labels[::3] = logits.argmin(1)[::3]
    return logits, labels


def naively(logits: torch.Tensor, labels: torch.Tensor, decoding: Decoding) -> torch.Tensor:
    """All at once and differentiable throughout, with the cut that the draws are made by."""
    exact = logits if logits.dtype == torch.float64 else logits.float()
    scaled = exact / decoding.temperature
    kept = cut(scaled, decoding)
    mask = is_kept(scaled.detach(), kept.lowest, kept.ties).scatter(1, labels[:, None], True)
    logprobs = scaled.masked_fill(~mask, -torch.inf).log_softmax(-1)
    return logprobs.gather(1, labels[:, None]).squeeze(1)


@SIZES
@EVERY_DECODING
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_values_and_gradients_are_those_of_naive_code(
    decoding: Decoding, vocabulary: int, dtype: torch.dtype
) -> None:
    logits, labels = some_logits(24, vocabulary, dtype)
    ours, theirs = (logits.clone().requires_grad_() for _ in range(2))
    found, expected = sampled_logprob(ours, labels, decoding), naively(theirs, labels, decoding)
    assert found.dtype == torch.float32
    assert found.isfinite().all()
    torch.testing.assert_close(found, expected)
    weights = torch.linspace(-1, 2, 24)
    (found * weights).sum().backward()
    (expected * weights).sum().backward()
    assert ours.grad is not None
    torch.testing.assert_close(ours.grad, theirs.grad)


@SIZES
@pytest.mark.parametrize("decoding", [Decoding(top_p=0.8), Decoding(top_k=9, top_p=0.6)], ids=str)
def test_ties_at_the_limit_are_split_alike(decoding: Decoding, vocabulary: int) -> None:
    logits, _ = some_logits(36, vocabulary)
    logits = (logits / 2).round() * 2
    # Labels on both sides of the limit, and one step above and below it.
    labels = logits.topk(12).indices.gather(1, torch.arange(36)[:, None] % 12).squeeze(1)
    ours, theirs = (logits.clone().requires_grad_() for _ in range(2))
    found, expected = sampled_logprob(ours, labels, decoding), naively(theirs, labels, decoding)
    torch.testing.assert_close(found, expected)
    found.sum().backward()
    expected.sum().backward()
    assert ours.grad is not None
    torch.testing.assert_close(ours.grad, theirs.grad)


@EVERY_DECODING
def test_gradients_are_differences(decoding: Decoding) -> None:
    logits, labels = some_logits(4, 12, torch.float64)
    assert torch.autograd.gradcheck(
        lambda leaf: sampled_logprob(leaf, labels, decoding), logits.requires_grad_()
    )


def test_gradients_by_columns_are_differences() -> None:
    _, labels = some_logits(3, 600)
    # Far enough apart that no difference moves a cut.
    logits = torch.stack([torch.randperm(600) for _ in range(3)]).double() / 20
    decoding = Decoding(temperature=0.8, top_k=20, top_p=0.9)
    kept = cut(logits / 0.8, decoding)
    assert kept.likeliest is not None
    assert kept.among_likeliest.all()
    assert torch.autograd.gradcheck(
        lambda leaf: sampled_logprob(leaf, labels, decoding), logits.requires_grad_()
    )


@EVERY_DECODING
def test_what_is_drawn_is_scored_by_the_law_of_the_draw(decoding: Decoding) -> None:
    logits, _ = some_logits(1, 300)
    probabilities, ids = candidates(logits, decoding)
    possible = probabilities[0] > 0
    labels = ids[0, possible]
    found = sampled_logprob(logits.expand(len(labels), -1), labels, decoding)
    torch.testing.assert_close(found.exp(), probabilities[0, possible] / probabilities.sum())
    assert found.exp().sum() == pytest.approx(1, abs=1e-5)


def test_parts_add_up_to_the_whole() -> None:
    """More rows than are worked on at once."""
    logits, labels = some_logits(500, 6_000)
    decoding = Decoding(top_p=0.9)
    whole = sampled_logprob(logits, labels, decoding)
    assert torch.equal(whole[250:255], sampled_logprob(logits[250:255], labels[250:255], decoding))
    shaped = sampled_logprob(logits.view(5, 100, -1), labels.view(5, 100), decoding)
    assert torch.equal(shaped, whole.view(5, 100))


def test_gradients_can_be_taken_again() -> None:
    logits, labels = some_logits(8, 40)
    leaf = logits.requires_grad_()
    loss = -sampled_logprob(leaf, labels, Decoding(top_k=5)).sum()
    (once,) = torch.autograd.grad(loss, leaf, retain_graph=True)
    (twice,) = torch.autograd.grad(loss, leaf)
    assert torch.equal(once, twice)


def test_plain_decoding_is_cross_entropy() -> None:
    logits, labels = some_logits(8, 40)
    expected = -F.cross_entropy(logits, labels, reduction="none")
    assert torch.equal(sampled_logprob(logits, labels, Decoding()), expected)


def test_a_broken_model_is_seen() -> None:
    logits, labels = some_logits(2, 600)
    logits[1, 5] = torch.nan
    for decoding in DECODINGS:
        found = sampled_logprob(logits, labels, decoding)
        assert found.isnan().tolist() == [False, True]


def test_bad_arguments_are_named() -> None:
    logits, labels = some_logits(4, 40)
    with pytest.raises(ArgumentError, match=r"`labels` expected int64 of shape \(4,\)"):
        sampled_logprob(logits, labels[:3], Decoding())
    with pytest.raises(ArgumentError, match="`labels` expected int64"):
        sampled_logprob(logits, labels.float(), Decoding())
    with pytest.raises(ArgumentError, match="greedy text"):
        sampled_logprob(logits, labels, Decoding(top_k=1))
    with pytest.raises(TokenizerMismatchError, match="token id -100 in `labels`"):
        sampled_logprob(logits, torch.full_like(labels, -100), Decoding(top_k=5))
