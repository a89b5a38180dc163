"""The peak of the likelihood, against scipy on all logits at once."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st

from collapse_guard import Decoding
from collapse_guard.audit.tempered_likelihood import LOG_BETAS, Peak, Sums, find_peak, sum_up
from collapse_guard.errors import ScoringError
from tests.audit.bigrams import Bigrams, drawn_rows, likeliest
from tests.audit.test_drawn_tokens import find

TYPES = 40


def summed(rows: list[list[int]], model: torch.nn.Module, **options: object) -> Sums:
    return sum_up(find(rows, **options), model)


def at_peak(sums: Sums) -> tuple[float, Peak]:
    peak = find_peak(sums)
    return math.exp(-peak.log_beta), peak


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10**6),
    temperature=st.floats(0.15, 2.5),
    scale=st.sampled_from([0.3, 1.0, 3.0]),
    rows=st.integers(2, 20),
)
def test_it_is_where_scipy_finds_it(seed: int, temperature: float, scale: float, rows: int) -> None:
    model = Bigrams(TYPES, seed=seed)
    model.table.data *= scale
    ids = [
        row["input_ids"]
        for row in drawn_rows(model, Decoding(temperature), rows=rows, length=16, seed=seed)
    ]
    sums = summed(ids, model)
    found, peak = at_peak(sums)
    contexts, targets = torch.tensor(ids)[:, :-1].flatten(), torch.tensor(ids)[:, 1:].flatten()
    if not peak.is_end and peak.information > 1e-2 * sums.tokens.sum():
        assert found == pytest.approx(likeliest(model.table[contexts], targets), rel=2e-5)
        assert peak.slopes.sum() == pytest.approx(0, abs=1e-6)


def test_slopes_and_information_are_derivatives_of_the_likelihood() -> None:
    model = Bigrams(TYPES)
    ids = [row["input_ids"] for row in drawn_rows(model, Decoding(0.7), rows=12, length=20)]
    _, peak = at_peak(summed(ids, model))

    def likelihoods(log_beta: float) -> np.ndarray:
        logprobs = (model.table.double() * math.exp(log_beta)).log_softmax(1).detach().numpy()
        return np.array([logprobs[row[:-1], row[1:]].sum() for row in ids])

    below, here, above = (likelihoods(peak.log_beta + step) for step in (-1e-3, 0.0, 1e-3))
    np.testing.assert_allclose(peak.slopes, (above - below) / 2e-3, rtol=1e-3, atol=1e-3)
    curvature = (below + above - 2 * here).sum() / 1e-6
    assert peak.information == pytest.approx(-curvature, rel=1e-3)


def test_documents_are_summed_over_all_their_rows() -> None:
    model = Bigrams(TYPES)
    ids = [row["input_ids"] for row in drawn_rows(model, Decoding(), rows=30, length=9)]
    owners = np.arange(30) % 7
    apart, together = summed(ids, model), summed(ids, model, documents=owners)
    expected = np.stack([apart.likelihood[owners == owner].sum(0) for owner in range(7)])
    np.testing.assert_allclose(together.likelihood, expected, rtol=1e-12)
    assert together.tokens.tolist() == [45.0] * 2 + [36.0] * 5
    assert (apart.rows, together.rows) == (30, 30)


def test_the_largest_rank_counts_the_likelier_types_alone() -> None:
    model = Bigrams(5)
    model.table.data[0] = torch.tensor([3.0, 2.0, 2.0, 1.0, 0.0])
    for token, rank in ((0, 1), (1, 2), (2, 2), (3, 4), (4, 5)):
        assert summed([[0, token], [0, 0]], model).largest_rank == rank


def test_greedy_rows_have_their_peak_beyond_the_coldest() -> None:
    model = Bigrams(TYPES)
    ids = [row["input_ids"] for row in drawn_rows(model, Decoding(top_k=1), rows=4, prompt=[3])]
    temperature, peak = at_peak(summed(ids, model))
    assert peak.is_end
    assert temperature == pytest.approx(math.exp(-LOG_BETAS[-1])) == pytest.approx(0.05)


def test_the_unlikeliest_tokens_have_their_peak_beyond_the_hottest() -> None:
    model = Bigrams(TYPES)
    worst = model.table.argmin(1).tolist()
    temperature, peak = at_peak(summed([[start, worst[start]] for start in range(9)], model))
    assert peak.is_end
    assert temperature == pytest.approx(4.0)


def test_types_that_a_model_rules_out_take_no_part() -> None:
    model, masked = Bigrams(TYPES), Bigrams(TYPES)
    masked.table.data[:, -5:] = -torch.inf
    short = Bigrams(TYPES)
    short.table = torch.nn.Parameter(masked.table[:, :-5].detach())
    rows = [row["input_ids"] for row in drawn_rows(masked, Decoding(0.8), rows=9)]
    found, expected = (summed(rows, each).likelihood for each in (masked, short))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    assert not np.allclose(summed(rows, model).likelihood, expected, rtol=1e-3)
    with pytest.raises(ScoringError, match="row 1, position 1"):
        summed([[0, 1], [0, TYPES - 1]], masked)


def test_logits_that_are_no_numbers_are_an_error() -> None:
    model = Bigrams(TYPES)
    model.table.data[3] = torch.nan
    with pytest.raises(ScoringError, match="row 0, position 2"):
        summed([[1, 3, 1], [0, 2]], model)
