"""In the place of a model's own loss: its own to the bit, but for what was drawn."""

import copy
import pickle
from typing import Any

import pytest
import torch
from transformers.loss.loss_utils import ForCausalLMLoss

from collapse_guard import ArgumentError, SamplerMatchedLoss, mark_labels, sampler_matched_loss
from collapse_guard.integrations.matching.causal_loss import MatchedCausalLoss
from collapse_guard.integrations.matching.seen_marks import SeenMarks
from tests.integrations.matching.runs import DECODINGS
from tests.tiny import VOCAB

DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
SETTINGS = pytest.mark.parametrize(
    "settings",
    [{}, {"num_items_in_batch": torch.tensor(31)}, {"num_items_in_batch": 31}],
    ids=["mean", "tensor", "number"],
)


def matched_loss() -> MatchedCausalLoss:
    return MatchedCausalLoss(ForCausalLMLoss, SamplerMatchedLoss(DECODINGS), SeenMarks())


def batch(dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Logits, the tokens that were read, and how they were drawn."""
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(6, 12, VOCAB, generator=generator)
    labels = torch.randint(VOCAB, (6, 12), generator=generator)
    labels[:, :2] = -100
    drawn_with = torch.randint(len(DECODINGS) + 1, (6, 12), generator=generator)
    drawn_with[0], drawn_with[1] = 0, 2
    return logits.to(dtype).requires_grad_(), labels, drawn_with


def with_gradient(loss: torch.Tensor, logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return loss.detach(), torch.autograd.grad(loss, logits)[0]


@DTYPES
@SETTINGS
def test_without_marks_it_is_the_models_own(dtype: torch.dtype, settings: dict[str, Any]) -> None:
    logits, labels, _ = batch(dtype)
    found = with_gradient(matched_loss()(logits, labels, VOCAB, **settings), logits)
    expected = with_gradient(ForCausalLMLoss(logits, labels, VOCAB, **settings), logits)
    assert all(map(torch.equal, found, expected))


@DTYPES
@SETTINGS
def test_plain_tokens_pull_as_they_do_in_the_models_own(
    dtype: torch.dtype, settings: dict[str, Any]
) -> None:
    logits, labels, drawn_with = batch(dtype)
    marked = mark_labels(labels, drawn_with)
    found = with_gradient(matched_loss()(logits, marked, VOCAB, **settings), logits)
    expected = with_gradient(ForCausalLMLoss(logits, labels, VOCAB, **settings), logits)
    plain = torch.nn.functional.pad(drawn_with[:, 1:] == 0, (0, 1), value=True)
    assert torch.equal(found[1][plain], expected[1][plain])
    assert not torch.equal(found[0], expected[0])
    assert found[0].dtype == expected[0].dtype == torch.float32
    assert found[1].dtype == dtype


@SETTINGS
@pytest.mark.parametrize("is_shifted", [False, True])
def test_it_is_the_matched_loss_of_the_next_tokens(
    settings: dict[str, Any], is_shifted: bool
) -> None:
    logits, labels, drawn_with = batch()
    expected = sampler_matched_loss(
        logits[:, :-1],
        labels[:, 1:],
        DECODINGS,
        drawn_with[:, 1:],
        num_items=settings.get("num_items_in_batch"),
    )
    marked = mark_labels(labels, drawn_with)
    if is_shifted:
        shifted = torch.nn.functional.pad(marked[:, 1:], (0, 1), value=-100)
        found = matched_loss()(logits, None, VOCAB, shift_labels=shifted, **settings)
    else:
        found = matched_loss()(logits, marked, VOCAB, **settings)
    torch.testing.assert_close(found, expected)


def test_another_label_may_be_the_one_that_is_ignored() -> None:
    logits, labels, drawn_with = batch()
    found = matched_loss()(logits, mark_labels(labels, drawn_with), VOCAB, ignore_index=7)
    without = mark_labels(labels.masked_fill(labels == 7, -100), drawn_with)
    assert (labels == 7).any()
    torch.testing.assert_close(found, matched_loss()(logits, without, VOCAB))


def test_a_mark_without_a_decoding_is_refused() -> None:
    logits, labels, _ = batch()
    with pytest.raises(ArgumentError, match="`drawn_with` expected 0 to 3"):
        matched_loss()(logits, mark_labels(labels, 4), VOCAB)


def test_what_is_switched_off_is_the_models_own() -> None:
    logits, labels, _ = batch()
    loss = matched_loss()
    loss.is_on = False
    with pytest.raises(IndexError, match="out of bounds"):
        loss(logits, mark_labels(labels, 1), VOCAB)


def test_copies_share_it_and_it_can_be_sent_to_another_process() -> None:
    loss = matched_loss()
    assert copy.deepcopy({"loss": loss})["loss"] is loss
    logits, labels, drawn_with = batch()
    marked = mark_labels(labels, drawn_with)
    # What takes it off again stays where it is.
    loss.match = lambda: None
    sent = pickle.loads(pickle.dumps(loss))
    assert sent.match is None
    assert torch.equal(sent(logits, marked, VOCAB), loss(logits, marked, VOCAB))
