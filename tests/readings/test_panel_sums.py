"""What one look at a panel yields adds up over windows, documents and batches."""

import numpy as np
import pytest
import torch

from collapse_guard import TokenizerMismatchError
from collapse_guard.readings.panel_sums import BandDocuments, BandSums, score_bands, score_panel
from tests.tiny import VOCAB, tiny_gpt2, tiny_panel


def test_a_model_with_too_small_a_vocabulary_is_refused() -> None:
    panel = tiny_panel()
    with pytest.raises(TokenizerMismatchError, match=r"knows 49 types, .* counts 50"):
        score_panel(tiny_gpt2(vocab_size=VOCAB - 1), panel)

    class SmallHead(torch.nn.Module):
        def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
            return torch.zeros(*input_ids.shape, VOCAB - 1)

    with pytest.raises(TokenizerMismatchError, match="49 types"):
        score_panel(SmallHead(), panel)


@pytest.mark.parametrize("batch_size", [1, 5, 100])
def test_sums_are_those_of_a_loop_over_positions(batch_size: int) -> None:
    panel, model = tiny_panel(), tiny_gpt2()
    with torch.no_grad():
        logprobs = model(panel.input_ids).logits.double().log_softmax(-1).roll(1, dims=1)
    own = logprobs.gather(2, panel.input_ids[..., None]).squeeze(2)
    scores = score_panel(model, panel, batch_size=batch_size)
    bands = score_bands(model, panel, torch.arange(len(panel)), batch_size=batch_size)
    for name, at, values in (
        ("logprob", panel.positions, own),
        ("tail_logprob", panel.tail_positions, own),
        ("head_logprob", panel.head_positions, own),
        ("tail_prob", panel.tail_positions, own.exp()),
    ):
        expected = (values * at).sum(1).numpy()
        np.testing.assert_allclose(getattr(scores, name), expected, rtol=1e-5, atol=1e-6)
        if name != "logprob":
            np.testing.assert_allclose(getattr(bands, name), expected, rtol=1e-5, atol=1e-6)
    assert scores.position_logprobs == pytest.approx(own[panel.positions].numpy(), abs=1e-5)
    assert scores.group_distributions.sum() == pytest.approx(int(panel.positions.sum()))


def test_documents_add_up_their_windows_as_far_as_those_are_fresh() -> None:
    panel = tiny_panel()
    ones = np.ones(len(panel))
    freshness = np.linspace(0, 1, len(panel))
    documents = BandDocuments.of(panel, BandSums(ones, 2 * ones, 3 * ones), freshness)
    owners = panel.document_ids.numpy()
    for document in range(panel.num_documents):
        own = freshness[owners == document]
        assert documents.tail_logprob[document] == pytest.approx(own.sum())
        assert documents.head_logprob[document] == pytest.approx(3 * own.sum())
        assert documents.weights[document] == pytest.approx(own.mean())


def test_a_part_is_that_part_of_the_whole() -> None:
    panel, model, windows = tiny_panel(), tiny_gpt2(), torch.tensor([7, 0, 3])
    whole, part = score_panel(model, panel), score_bands(model, panel, windows, batch_size=2)
    for name in ("tail_logprob", "tail_prob", "head_logprob"):
        expected = getattr(whole, name)[windows.numpy()]
        np.testing.assert_allclose(getattr(part, name), expected, rtol=1e-5, atol=1e-6)
