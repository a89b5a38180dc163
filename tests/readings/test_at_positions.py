"""Readings at chosen positions are loops over them."""

import math

import numpy as np
import pytest
import torch

from collapse_guard import ArgumentError, HeldOutPanel
from collapse_guard.readings.at_positions import mean_logprob, retention
from tests.tiny import tiny_panel, tiny_reference, zipf_documents


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
