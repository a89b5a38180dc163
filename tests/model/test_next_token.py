"""One token drawn from a row of logits, against naive loops and the law of the numbers."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from scipy.stats import chisquare

from collapse_guard.errors import ScoringError
from collapse_guard.model.decoding import Decoding
from collapse_guard.model.next_token import candidates, draw, uniforms

# Distinct, so that which tokens are the k likeliest has one answer.
rows = st.lists(
    st.floats(-20, 20, width=32), min_size=2, max_size=30, unique_by=lambda x: round(x, 2)
)


def kept_by_a_loop(logits: list[float], top_k: int | None, top_p: float | None) -> dict[int, float]:
    """The tokens that may come next and their probabilities, with sorting and a running sum."""
    weights = {token: math.exp(logit - max(logits)) for token, logit in enumerate(logits)}
    order = sorted(weights, key=lambda token: -weights[token])[: top_k or len(weights)]
    total = sum(weights[token] for token in order)
    kept: dict[int, float] = {}
    for token in order:
        if top_p is not None and sum(kept.values()) >= top_p:
            break
        kept[token] = weights[token] / total
    return kept


@given(
    logits=rows,
    top_k=st.none() | st.integers(1, 40),
    top_p=st.none() | st.floats(0.05, 1.0),
    temperature=st.floats(0.3, 3),
)
def test_candidates_are_those_of_a_loop(
    logits: list[float], top_k: int | None, top_p: float | None, temperature: float
) -> None:
    decoding = Decoding(temperature=temperature, top_k=top_k, top_p=top_p)
    probabilities, ids = candidates(torch.tensor([logits]), decoding)
    kept = {
        token: probability
        for token, probability in zip(ids[0].tolist(), probabilities[0].tolist(), strict=True)
        if probability > 0
    }
    expected = kept_by_a_loop([logit / temperature for logit in logits], top_k, top_p)
    # What a rounding decides: a running sum at `top_p` itself, a probability that is next to 0.
    for token in kept.keys() ^ expected.keys():
        probability = kept.get(token) or expected[token]
        likelier = sum(p for p in expected.values() if p > probability * (1 + 1e-5))
        assert probability < 1e-6 or likelier == pytest.approx(top_p, abs=1e-5)
    for token in kept.keys() & expected.keys():
        assert kept[token] == pytest.approx(expected[token], rel=1e-4)


def with_no_thought_of_ties(
    logits: torch.Tensor, temperature: float, top_k: int | None, top_p: float | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Columns in the order in which draws have always gone through them: likeliest first."""
    vocabulary = logits.shape[1]
    values, ids = (logits / temperature).topk(min(top_k or vocabulary, vocabulary))
    probabilities = values.softmax(-1)
    if top_p is not None:
        likelier = probabilities.cumsum(-1) - probabilities
        probabilities = probabilities.masked_fill(likelier >= top_p, 0.0)
    return probabilities, ids


@pytest.mark.parametrize(
    ("top_k", "top_p"), [(5, None), (50, None), (None, 0.9), (20, 0.8), (9_999, None)]
)
@pytest.mark.parametrize("vocabulary", [40, 600, 6_000])
def test_the_same_numbers_draw_the_same_tokens(
    top_k: int | None, top_p: float | None, vocabulary: int
) -> None:
    # Distinct logits: where some tie, more are kept than there once were.
    shuffled = np.random.default_rng(0).permuted(np.tile(np.arange(vocabulary), (400, 1)), axis=1)
    logits = torch.from_numpy(shuffled).float() * (12 / vocabulary)
    numbers = uniforms(1, range(400), 1)[:, 0]
    probabilities, ids = candidates(logits, Decoding(temperature=0.8, top_k=top_k, top_p=top_p))
    tokens = ids.gather(1, draw(probabilities, numbers))
    before, its_ids = with_no_thought_of_ties(logits, 0.8, top_k, top_p)
    assert torch.equal(tokens, its_ids.gather(1, draw(before, numbers)))


def test_all_that_tie_with_the_kth_may_come() -> None:
    probabilities, ids = candidates(torch.tensor([[1.0, 2.0, 1.0, 0.0, 1.0]]), Decoding(top_k=2))
    assert sorted(ids[probabilities > 0].tolist()) == [0, 1, 2, 4]


def test_min_p_keeps_a_share_of_the_likeliest() -> None:
    logits = torch.tensor([[0.4, 0.05, 0.3, 0.25]]).log()
    probabilities, ids = candidates(logits, Decoding(min_p=0.7))
    assert ids[probabilities > 0].tolist() == [0, 2]
    probabilities, ids = candidates(logits, Decoding(top_k=1, min_p=0.1))
    assert ids[probabilities > 0].tolist() == [0]


def test_the_likeliest_token_always_stays() -> None:
    probabilities, ids = candidates(torch.tensor([[1.0, 4.0, 2.0]]), Decoding(top_p=1e-9))
    assert ids[probabilities > 0].tolist() == [1]


def test_draws_follow_the_probabilities() -> None:
    weights = torch.tensor([0.4, 0.0, 0.3, 0.2, 0.1], dtype=torch.float64)
    draws = draw(weights.expand(20_000, -1), uniforms(0, range(20_000), 1)[:, 0])
    counts = np.bincount(draws.flatten().numpy(), minlength=5)
    assert counts[1] == 0
    kept = weights > 0
    expected = weights[kept].numpy() / weights.sum().item() * 20_000
    assert chisquare(counts[kept], expected).pvalue > 1e-3


@given(
    weights=st.lists(st.sampled_from([0.0, 1e-30, 1e-9, 0.3, 1.0]), min_size=1, max_size=9).filter(
        any
    ),
    random=st.sampled_from([0.0, 0.5, 1 - 2**-53]) | st.floats(0, 1, exclude_max=True),
)
def test_what_has_no_probability_is_never_drawn(weights: list[float], random: float) -> None:
    drawn = draw(torch.tensor([weights]), torch.tensor([random], dtype=torch.float64))
    assert weights[int(drawn)] > 0


@pytest.mark.parametrize("row", [[math.nan, 1.0], [0.0, 0.0]])
def test_no_probabilities_are_an_error(row: list[float]) -> None:
    with pytest.raises(ScoringError, match="no probabilities to draw from"):
        draw(torch.tensor([[1.0, 1.0], row]), torch.tensor([0.5, 0.5], dtype=torch.float64))


def test_random_numbers_go_by_sequence_number() -> None:
    every = uniforms(7, range(10), 4)
    assert torch.equal(uniforms(7, range(3, 6), 4), every[3:6])
    assert torch.equal(uniforms(7, range(10), 2), every[:, :2])
    assert not torch.equal(uniforms(8, range(10), 4), every)
    assert len(every.unique()) == every.numel()


def test_where_torch_is_to_be_deterministic_the_same_tokens_are_drawn() -> None:
    generator = torch.Generator().manual_seed(0)
    probabilities = torch.rand(50, 30, generator=generator)
    randoms = torch.rand(50, generator=generator, dtype=torch.float64)
    drawn = draw(probabilities, randoms)
    torch.use_deterministic_algorithms(True)
    try:
        assert torch.equal(draw(probabilities, randoms), drawn)
    finally:
        torch.use_deterministic_algorithms(False)
