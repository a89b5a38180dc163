"""Human text as trials are judged on it."""

import logging
import math

import numpy as np
import pytest
import torch

from collapse_guard import HeldOutPanel, HumanReference
from collapse_guard.errors import ArgumentError, PanelError
from collapse_guard.finder.held_out import hold_out, refuse_panel, refuse_trained
from collapse_guard.readings.panel_sums import score_panel
from tests.finder.markov import TYPES, human_documents, learnt_chain


def ragged() -> list[np.ndarray]:
    """Documents from 2 to 40 tokens."""
    documents = human_documents(20, length=40)
    return [each[: 2 + 2 * number] for number, each in enumerate(documents)]


def panel_of(documents: list[np.ndarray], *, window: int = 16) -> HeldOutPanel:
    reference = HumanReference.from_token_ids(human_documents(50, seed=3), vocab_size=TYPES)
    return HeldOutPanel.from_token_ids(documents, reference, window=window)


@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_losses_are_those_of_cross_entropy_window_by_window(batch_size: int) -> None:
    model = learnt_chain(dropout=0.5).train()
    held = hold_out(ragged(), window=16, max_windows=None)
    expected, tokens = [], []
    table = model.table.weight.detach().double()
    for document in ragged():
        text = torch.from_numpy(document)
        losses = [
            torch.nn.functional.cross_entropy(table[part[:-1]], part[1:], reduction="sum")
            for part in text.split(16)
            if len(part) > 1
        ]
        expected.append(float(sum(losses)))
        tokens.append(sum(len(part) - 1 for part in text.split(16)))
    losses = held.losses(model, batch_size=batch_size)
    np.testing.assert_allclose(losses, expected, rtol=1e-5)
    assert held.mean(losses).value == pytest.approx(sum(expected) / sum(tokens))
    assert model.training
    assert int(model.calls) == 0


def test_a_panel_is_scored_as_a_monitor_scores_it() -> None:
    panel, model = panel_of(human_documents(20, length=50)), learnt_chain()
    held = hold_out(panel, window=3, max_windows=None)
    assert held.num_documents == panel.num_documents
    loss = held.mean(held.losses(model, batch_size=5))
    assert loss.value == pytest.approx(-score_panel(model, panel).position_logprobs.mean())


def test_windows_cover_documents_and_remember_whose_they_are() -> None:
    documents = ragged()
    held = hold_out(documents, window=16, max_windows=None)
    assert [ids.tolist() for ids in held.documents()] == [
        # A single token that is left over predicts nothing and is predicted from nothing.
        each[: len(each) - (len(each) % 16 == 1)].tolist()
        for each in documents
    ]
    assert not held.positions[:, 0].any()
    assert int(held.positions.sum()) == sum(
        len(each) - math.ceil(len(each) / 16) for each in documents
    )


def test_fewer_windows_are_spread_over_the_documents() -> None:
    held = hold_out(human_documents(10, length=64), window=16, max_windows=10)
    assert held.document_ids.tolist() == list(range(10))
    few = hold_out(human_documents(10, length=64), window=16, max_windows=4)
    assert few.num_documents == len(few.input_ids) == 4


def test_a_document_that_repeats_another_counts_once(caplog: pytest.LogCaptureFixture) -> None:
    documents = human_documents(3)
    with caplog.at_level(logging.WARNING):
        held = hold_out([*documents, documents[1]], window=16, max_windows=None)
    assert held.num_documents == 3
    assert "repeat another one" in caplog.text


@pytest.mark.parametrize(
    "human", [[], [[1, 2, 3]], [[1, 2, 3], [1, 2, 3]], [[1, 2, 3], [4], []]], ids=str
)
def test_too_few_documents_are_refused(human: list[list[int]]) -> None:
    with pytest.raises(PanelError, match="fewer than 2 different documents"):
        hold_out(human, window=16, max_windows=None)


@pytest.mark.parametrize("human", ["some text", [["a", "b"], ["c"]]])
def test_what_is_no_tokens_is_refused(human: object) -> None:
    with pytest.raises(ArgumentError):
        hold_out(human, window=16, max_windows=None)  # type: ignore[arg-type]


def test_text_of_the_judge_is_refused_however_it_is_cut() -> None:
    documents = human_documents(12, length=96)
    judge = panel_of(documents[:6], window=32)
    others = documents[6:]

    def check(human: list[np.ndarray] | HeldOutPanel) -> None:
        refuse_panel(hold_out(human, window=32, max_windows=None), judge)

    check(others)
    pieces = [documents[0][16:80], documents[1][:40]]
    for shared in ([documents[0]], pieces, [np.concatenate([others[0], documents[0][:64]])]):
        with pytest.raises(PanelError, match="`held_out` and `judge` share text"):
            check(others + shared)
    with pytest.raises(PanelError, match="`judge`"):
        check(judge)


def test_text_that_is_trained_on_is_refused() -> None:
    held = hold_out(human_documents(6, length=64), window=32, max_windows=None)
    refuse_trained(held, human_documents(6, length=64, seed=8))
    with pytest.raises(PanelError, match="`held_out` and `rows` share text"):
        refuse_trained(held, [*human_documents(6, seed=8), held.documents()[3]])
