from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st

from collapse_guard import (
    ArgumentError,
    CollapseMonitor,
    HeldOutPanel,
    HumanReference,
    PanelError,
    TokenizerMismatchError,
)
from collapse_guard.readings.panel_logprobs import panel_logprobs
from collapse_guard.readings.rare_ngrams import (
    rare_ngram_logprob,
    rare_ngram_positions,
    rare_ngram_reading,
)
from tests.tiny import BRIEF, tiny_gpt2, tiny_panel, zipf_documents


def naive(panel: HeldOutPanel, documents: list[list[int]], n: int, max_count: int) -> torch.Tensor:
    counts = Counter(tuple(ids[i : i + n]) for ids in documents for i in range(len(ids) - n + 1))
    rare = torch.zeros_like(panel.positions)
    for window, ids in enumerate(panel.input_ids.tolist()):
        for end in range(n - 1, len(ids)):
            looked_at = all(panel.positions[window, end - n + 1 : end + 1])
            ngram = tuple(ids[end - n + 1 : end + 1])
            rare[window, end] = looked_at and counts[ngram] <= max_count
    return rare


@given(
    seed=st.integers(0, 1000),
    n=st.integers(1, 5),
    max_count=st.integers(0, 4),
    types=st.sampled_from([3, 6]),
)
def test_agrees_with_a_counter(seed: int, n: int, max_count: int, types: int) -> None:
    generator = np.random.default_rng(seed)
    documents = [
        generator.integers(types, size=size).tolist() for size in generator.integers(0, 12, size=9)
    ]
    held_out = generator.integers(types, size=(3, 8))
    looked_at = (generator.random((3, 8)) < 0.9) & (np.arange(8) > 0)
    # A panel must have a tail token and a head token.
    held_out[:2, 1], looked_at[:2, 1] = (0, types - 1), True
    panel = HeldOutPanel(
        HumanReference(np.arange(1, types + 1) ** 3),
        torch.from_numpy(held_out),
        torch.arange(3),
        torch.from_numpy(looked_at),
    )
    expected = naive(panel, documents, n, max_count)
    if not expected.any():
        with pytest.raises(PanelError, match=f"ends a {n}-gram"):
            rare_ngram_positions(panel, documents, n=n, max_count=max_count)
    else:
        found = rare_ngram_positions(panel, documents, n=n, max_count=max_count)
        assert found.equal(expected)


def test_long_ngrams_of_a_large_vocabulary_are_told_apart() -> None:
    """262,144 types to the power of 8 do not fit into 64 bits."""
    size = 1 << 18
    generator = np.random.default_rng(0)
    text = generator.integers(size, size=(4, 40))
    counts = np.bincount(text.ravel(), minlength=size)
    counts[text[0, 5]] = 0
    panel = HeldOutPanel.from_token_ids(list(text), HumanReference(counts), window=20)
    altered = text.copy()
    altered[:, 25] = (altered[:, 25] + 1) % size
    rare = rare_ngram_positions(panel, altered, n=8, max_count=0)
    assert rare.equal(naive(panel, altered.tolist(), 8, 0))
    columns = torch.nonzero(rare)[:, 1].unique().tolist()
    assert columns == list(range(8, 13))


def test_blocks_of_documents_add_up(monkeypatch) -> None:
    panel, documents = tiny_panel(), zipf_documents(30, seed=5)
    whole = rare_ngram_positions(panel, documents, n=2, max_count=3)
    monkeypatch.setattr("collapse_guard.human_text.documents._DOCUMENTS_AT_A_TIME", 7)
    assert whole.equal(rare_ngram_positions(panel, iter(documents), n=2, max_count=3))
    assert whole.equal(rare_ngram_positions(panel, map(np.array, documents), n=2, max_count=3))


def test_log_probability_is_the_mean_over_those_positions() -> None:
    panel, documents = tiny_panel(), zipf_documents(30, seed=5)
    logprobs = panel_logprobs(tiny_gpt2(), panel)
    found = rare_ngram_logprob(logprobs, panel, documents, n=2, max_count=2)
    rare = naive(panel, documents, 2, 2)
    assert found.value == pytest.approx(logprobs[rare[panel.positions].numpy()].mean())
    assert found.standard_error > 0


def test_bad_input() -> None:
    panel = tiny_panel()
    with pytest.raises(ArgumentError, match="`n`"):
        rare_ngram_positions(panel, [], n=0)
    with pytest.raises(ArgumentError, match="`max_count`"):
        rare_ngram_positions(panel, [], n=2, max_count=-1)
    for documents in (["text"], [1, 2], [[1.5, 2.5]]):
        with pytest.raises(ArgumentError, match="`documents`"):
            rare_ngram_positions(panel, documents, n=2)
    with pytest.raises(TokenizerMismatchError, match="token id 50"):
        rare_ngram_positions(panel, [[1, 50]], n=2)
    with pytest.raises(PanelError, match=r"ends a 99-gram .* \(windows have 32 tokens\)"):
        rare_ngram_positions(panel, [[1, 2]], n=99)
    assert rare_ngram_positions(panel, [], n=2).any()


def test_it_can_be_watched() -> None:
    panel, model, documents = tiny_panel(), tiny_gpt2(), zipf_documents(40, seed=1)
    monitor = CollapseMonitor(
        panel, readings=[rare_ngram_reading(panel, documents, n=2)], sampling=BRIEF
    )
    expected = rare_ngram_logprob(panel_logprobs(model, panel), panel, documents, n=2)
    start = monitor.start(model)
    assert start["rare_2gram_logprob"] == pytest.approx(expected.value, rel=1e-5)
    other = CollapseMonitor(
        tiny_panel(window=20),
        readings=[rare_ngram_reading(panel, documents, n=2)],
        sampling=BRIEF,
    )
    with pytest.raises(ArgumentError, match="`at`"):
        other.start(model)
