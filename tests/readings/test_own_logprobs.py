"""What a panel gives of its own is taken as it is, where it can be."""

import random
from typing import Any

import numpy as np
import pytest
import torch

from collapse_guard import ScoringError
from collapse_guard.readings.own_logprobs import own_logprobs
from collapse_guard.readings.panel_sums import score_bands, score_panel
from tests.extending.test_self_scoring_panel import TAIL, Normal, Rows, rows_with_a_tail
from tests.tiny import tiny_panel

ALL = torch.arange(8)


class Gives(Rows):
    """A panel that gives what it is told to, whatever the model."""

    def __init__(self, given: Any) -> None:
        super().__init__(torch.zeros(8, 1), torch.arange(8) < 4)
        self.given = given

    def log_probs(self, model: torch.nn.Module, windows: torch.Tensor) -> Any:
        return self.given


def test_chosen_positions_come_in_row_major_order() -> None:
    given = torch.arange(16.0).reshape(8, 2)
    at = torch.zeros(8, 2, dtype=torch.bool)
    at[1, 1] = at[1, 0] = at[7, 1] = True
    taken = own_logprobs(Normal(), Gives(given), ALL, at)
    assert taken.dtype == torch.float64
    assert taken.tolist() == [2.0, 3.0, 15.0]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (None, "returned a NoneType"),
        (torch.zeros(8), r"shape \(8,\): let it return a float tensor of shape \(8, 1\)"),
        (torch.zeros(8, 1, dtype=torch.int64), "float tensor"),
        (torch.full((8, 1), 701.0), r"gave 701 nats at document 0 .* position 0.* per dimension"),
    ],
)
def test_what_cannot_be_log_probabilities_is_refused(given: Any, message: str) -> None:
    with pytest.raises(ScoringError, match=message):
        own_logprobs(Normal(), Gives(given), ALL, torch.ones(8, 1, dtype=torch.bool))


def test_what_is_not_finite_is_named_where_it_is_looked_at_alone() -> None:
    given = torch.zeros(8, 1)
    given[5] = torch.nan
    panel = Gives(given)
    for score in (
        lambda: score_panel(Normal(), panel),
        lambda: score_bands(Normal(), panel, ALL),
    ):
        with pytest.raises(ScoringError, match=r"document 5 of the panel .* position 0"):
            score()
    elsewhere = Gives(given)
    for at in (elsewhere.positions, elsewhere.tail_positions, elsewhere.head_positions):
        at[5] = False
    assert score_panel(Normal(), elsewhere).logprob.tolist() == [0.0] * 8


def test_a_panel_of_tokens_has_none() -> None:
    panel = tiny_panel()
    with pytest.raises(ScoringError, match="no `log_probs`"):
        own_logprobs(Normal(), panel, ALL, panel.positions[ALL])


class Drawing(Rows):
    """A panel that draws, which it should not, and looks at the mode that the model is in."""

    def log_probs(self, model: torch.nn.Module, windows: torch.Tensor) -> torch.Tensor:
        assert not model.training
        random.random()
        np.random.random()
        return torch.rand(len(windows), 1).log()


def test_the_run_s_random_states_and_modes_are_put_back() -> None:
    model = Normal().train()
    states = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()
    panel = Drawing(torch.zeros(8, 1), torch.arange(8) < 4)
    score_panel(model, panel)
    assert random.getstate() == states[0]
    assert np.random.get_state()[1].tolist() == states[1]
    assert torch.equal(torch.get_rng_state(), states[2])
    assert model.training


@pytest.mark.parametrize("batch_size", [1, 7, 100])
def test_sums_add_up_over_batches_and_what_is_not_there_is_nan(batch_size: int) -> None:
    panel, model = rows_with_a_tail(), Normal()
    values = model(panel.rows).detach().double().numpy()
    scores = score_panel(model, panel, batch_size=batch_size)
    windows = torch.tensor([40, 3, 29])
    bands = score_bands(model, panel, windows, batch_size=batch_size)
    np.testing.assert_allclose(scores.logprob, values)
    np.testing.assert_allclose(scores.position_logprobs, values)
    np.testing.assert_allclose(scores.tail_logprob[:TAIL], values[:TAIL])
    assert not scores.tail_logprob[TAIL:].any()
    np.testing.assert_allclose(bands.tail_prob, [0, *np.exp(values[[3, 29]])])
    np.testing.assert_allclose(bands.head_logprob, [values[40], 0, 0])
    for name in ("tail_mass", "entropy", "group_distributions"):
        assert np.isnan(getattr(scores, name)).all()
    assert scores.group_distributions.shape[1] == 1
