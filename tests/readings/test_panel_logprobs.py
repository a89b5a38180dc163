import math

import numpy as np
import pytest
import torch

from collapse_guard import ArgumentError, ScoringError, TokenizerMismatchError
from collapse_guard.readings.panel_logprobs import panel_logprobs
from collapse_guard.readings.panel_sums import score_panel
from tests.tiny import VOCAB, tiny_gpt2, tiny_llama, tiny_panel


def test_all_positions_agree_with_a_whole_look() -> None:
    panel, model = tiny_panel(), tiny_gpt2()
    scored = panel_logprobs(model, panel, batch_size=7)
    assert scored.dtype == np.float64
    np.testing.assert_allclose(scored, score_panel(model, panel).position_logprobs, atol=2e-6)
    by_window = np.split(scored, np.cumsum(panel.positions.sum(1).numpy())[:-1])
    np.testing.assert_allclose(
        [window.sum() for window in by_window], score_panel(model, panel).logprob, atol=1e-4
    )


def test_chosen_positions_alone_pass_the_model() -> None:
    panel, model = tiny_panel(), tiny_llama()
    at = panel.tail_positions.clone()
    at[:20] = False
    # At the first call it is tried whether the model is causal.
    panel_logprobs(model, panel)
    rows, scored = [], []
    model.model.embed_tokens.register_forward_hook(lambda _m, args, _o: rows.append(len(args[0])))
    model.lm_head.register_forward_hook(lambda _m, args, _o: scored.append(args[0].shape[:-1]))
    found = panel_logprobs(model, panel, at=at, batch_size=5)
    assert sum(rows) == int(at.any(1).sum()) < len(panel)
    assert sum(math.prod(shape) for shape in scored) == len(found) == int(at.sum())
    everything = panel_logprobs(model, panel)
    np.testing.assert_allclose(found, everything[at[panel.positions].numpy()], atol=2e-6)


def test_no_position_gives_no_score() -> None:
    panel = tiny_panel()
    assert panel_logprobs(tiny_gpt2(), panel, at=panel.positions & False).shape == (0,)


def test_bad_arguments() -> None:
    panel, model = tiny_panel(), tiny_gpt2()
    with pytest.raises(ArgumentError, match="`batch_size`"):
        panel_logprobs(model, panel, batch_size=0)
    with pytest.raises(ArgumentError, match="`at` expected bool of shape"):
        panel_logprobs(model, panel, at=panel.positions.int())
    with pytest.raises(ArgumentError, match="does not look at"):
        panel_logprobs(model, panel, at=torch.ones_like(panel.positions))
    with pytest.raises(TokenizerMismatchError, match="vocabulary of 40 types"):
        panel_logprobs(tiny_gpt2(vocab_size=40), panel)


class PoisonedAt(torch.nn.Module):
    """Logits of zero, but for one context of one text."""

    def __init__(self, text: torch.Tensor, column: int, poison: float) -> None:
        super().__init__()
        self.text, self.column, self.poison = text, column, poison

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        logits = torch.zeros(*input_ids.shape, VOCAB)
        logits[(input_ids == self.text).all(1), self.column, 3] = self.poison
        return logits


@pytest.mark.parametrize("poison", [math.nan, math.inf])
@pytest.mark.parametrize("look", [score_panel, panel_logprobs])
def test_logits_that_are_not_finite_are_named_by_document(look, poison: float) -> None:
    panel = tiny_panel()
    window = 20
    document = int(panel.document_ids[window])
    assert document != window
    model = PoisonedAt(panel.input_ids[window], column=8, poison=poison)
    message = rf"at document {document} of the panel \(its window {window}\), position 9, and not"
    with pytest.raises(ScoringError, match=message):
        look(model, panel, batch_size=7)


def test_rows_of_a_padded_vocabulary_stand_for_no_token() -> None:
    """The logits of a vocabulary of 50 padded to 64 count in the softmax, and in no band."""
    panel = tiny_panel()
    model = tiny_llama(vocab_size=64)
    scores = score_panel(model, panel)
    with torch.no_grad():
        logprobs = model(panel.input_ids).logits[:, :-1].double().log_softmax(-1)
    targets = panel.input_ids[:, 1:, None]
    np.testing.assert_allclose(
        scores.position_logprobs, logprobs.gather(2, targets).flatten().numpy(), atol=2e-6
    )
    tail = torch.from_numpy(panel.reference.tail_types)
    mass = logprobs.exp()[:, :, :VOCAB][:, :, tail].sum((1, 2))
    np.testing.assert_allclose(scores.tail_mass, mass.numpy(), rtol=1e-5)
    assert scores.group_distributions.shape[1] == 64
