import math

import numpy as np
import pytest
import torch

from collapse_guard import ArgumentError, HeldOutPanel, ScoringError, TokenizerMismatchError
from collapse_guard.readings.at_positions import mean_logprob, retention
from collapse_guard.readings.panel_logprobs import panel_logprobs
from collapse_guard.readings.panel_sums import score_panel
from tests.tiny import VOCAB, tiny_gpt2, tiny_llama, tiny_panel, tiny_reference, zipf_documents


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


def naive_means(values: np.ndarray, panel: HeldOutPanel, at: torch.Tensor) -> dict[int, list]:
    by_document: dict[int, list] = {}
    number = 0
    for window in range(len(panel)):
        for column in range(panel.input_ids.shape[1]):
            if panel.positions[window, column]:
                if at[window, column]:
                    document = int(panel.document_ids[window])
                    by_document.setdefault(document, []).append(values[number])
                number += 1
    return by_document


def test_mean_and_retention_agree_with_loops() -> None:
    documents = zipf_documents(12, seed=2)
    panel = HeldOutPanel.from_token_ids(documents, tiny_reference(), window=32, prefix=[0])
    # As many positions in each window would hide a mix-up of windows.
    fewer = panel.positions & (torch.arange(33) <= 20 + torch.arange(len(panel))[:, None] % 13)
    panel = HeldOutPanel(panel.reference, panel.input_ids, panel.document_ids, fewer)
    generator = np.random.default_rng(0)
    start, now = -generator.exponential(size=(2, int(panel.positions.sum())))
    at = panel.tail_positions.clone()
    at[panel.document_ids == 4] = False
    values = naive_means(now, panel, at)
    everything = [value for document in values.values() for value in document]
    found = mean_logprob(now, panel, at)
    assert found.value == pytest.approx(np.mean(everything))
    influences = [sum(v - found.value for v in document) for document in values.values()]
    variance = np.square(influences).sum() / len(everything) ** 2
    count = len(values)
    assert count < panel.num_documents
    assert found.standard_error == pytest.approx(math.sqrt(variance * count / (count - 1)))
    kept = retention(now, start, panel, at)
    means = [np.mean(document) for document in naive_means(now - start, panel, at).values()]
    assert kept.value == pytest.approx(math.exp(np.mean(means)))
    error = kept.value * np.std(means, ddof=1) / math.sqrt(count)
    assert kept.standard_error == pytest.approx(error)


def test_numbers_of_another_panel_are_refused() -> None:
    panel = tiny_panel()
    numbers = np.zeros(3)
    with pytest.raises(ArgumentError, match=r"`logprobs` expected one number for each of .*1116"):
        mean_logprob(numbers, panel, panel.tail_positions)
    with pytest.raises(ArgumentError, match="`start_logprobs`"):
        retention(np.zeros(1116), numbers, panel, panel.tail_positions)
