import math

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given, strategies as st
from peft import LoraConfig, get_peft_model

from collapse_guard import ArgumentError, CollapseMonitor, ScoringError
from collapse_guard.readings.hidden_state_spectrum import (
    effective_rank,
    hidden_state_rank,
    hidden_state_reading,
    last_hidden_states,
)
from tests.tiny import BRIEF, tiny_gpt2, tiny_llama, tiny_opt, tiny_panel


def by_svd(states: np.ndarray) -> float:
    singular_values = np.linalg.svd(states.astype(np.float64), compute_uv=False)
    return math.exp(scipy.stats.entropy(singular_values**2))


@given(
    seed=st.integers(0, 1000),
    positions=st.integers(1, 40),
    width=st.integers(1, 12),
    centred=st.booleans(),
)
def test_agrees_with_numpys_svd(seed: int, positions: int, width: int, centred: bool) -> None:
    generator = np.random.default_rng(seed)
    states = generator.normal(size=(positions, width)) * generator.lognormal(size=width)
    if centred and positions == 1:
        return
    documents = generator.integers(4, size=positions)
    found = effective_rank(states.astype(np.float32), documents, centred=centred)
    states = states.astype(np.float32).astype(np.float64)
    assert found.value == pytest.approx(by_svd(states - states.mean(0) * centred), rel=1e-6)
    assert 1 - 1e-9 <= found.value <= min(positions, width) * (1 + 1e-9)


def test_closed_forms() -> None:
    documents = np.arange(8)
    # All along one line; all directions alike; and shares of 3/4 and 1/4.
    assert effective_rank(np.outer(np.arange(1, 9), [3.0, 4.0]), documents).value == pytest.approx(
        1
    )
    assert effective_rank(np.eye(8), documents).value == pytest.approx(8)
    two = np.zeros((8, 5))
    two[:6, 1] = two[6:, 3] = -2.0
    expected = math.exp(-0.75 * math.log(0.75) - 0.25 * math.log(0.25))
    assert effective_rank(two, documents).value == pytest.approx(expected)
    # One mean shared by all hides the rest until it is taken off.
    shifted = np.eye(8) + 1000.0
    assert effective_rank(shifted, documents).value == pytest.approx(1, abs=1e-3)
    assert effective_rank(shifted, documents, centred=True).value == pytest.approx(7)


def test_blocks_add_up(monkeypatch) -> None:
    generator = np.random.default_rng(0)
    states, documents = generator.normal(size=(50, 6)), generator.integers(9, size=50)
    whole = effective_rank(states, documents)
    monkeypatch.setattr("collapse_guard.readings.hidden_state_spectrum._ROWS_AT_A_TIME", 7)
    split = effective_rank(states, documents)
    assert split.value == pytest.approx(whole.value)
    assert split.standard_error == pytest.approx(whole.standard_error)


@pytest.mark.parametrize("centred", [False, True])
def test_standard_error_is_the_spread_over_draws_of_documents(centred: bool) -> None:
    generator = np.random.default_rng(0)
    scales = np.array([4.0, 2.0, 1.0, 1.0, 0.5])
    values, errors = [], []
    for _ in range(400):
        # Positions of a document share a centre, so they vary together.
        centres = generator.normal(size=(60, 1, 5))
        states = (centres + 0.5 * generator.normal(size=(60, 5, 5))) * scales + 1.0
        found = effective_rank(states.reshape(-1, 5), np.repeat(np.arange(60), 5), centred=centred)
        values.append(found.value)
        errors.append(found.standard_error)
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.1)


@pytest.mark.parametrize("make", [tiny_gpt2, tiny_llama, tiny_opt])
def test_states_are_those_of_the_last_layer(make) -> None:
    model, panel = make().eval(), tiny_panel()
    with torch.no_grad():
        every = model(panel.input_ids, output_hidden_states=True).hidden_states[-1]
    expected = every[:, :-1][panel.positions[:, 1:]].numpy()
    found = last_hidden_states(model, panel, batch_size=5)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    rank = hidden_state_rank(model, panel)
    assert rank.value == pytest.approx(by_svd(expected), rel=1e-4)
    assert 0 < rank.standard_error < rank.value
    assert not model.lm_head._forward_pre_hooks


def test_a_model_that_returns_everything_and_one_with_adapters() -> None:
    panel = tiny_panel()

    class Everything(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = tiny_llama()

        def get_output_embeddings(self) -> torch.nn.Module:
            return self.model.lm_head

        def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
            return self.model(input_ids).logits

    plain = last_hidden_states(tiny_llama(), panel)
    np.testing.assert_allclose(last_hidden_states(Everything(), panel), plain, atol=1e-5)
    adapted = get_peft_model(
        tiny_llama(), LoraConfig(r=2, target_modules="all-linear", init_lora_weights=False)
    )
    assert np.abs(last_hidden_states(adapted, panel) - plain).max() > 0.01


def test_bad_input() -> None:
    panel = tiny_panel()
    with pytest.raises(ArgumentError, match=r"`states` .*all alike"):
        # The mean of these is off by a rounding.
        effective_rank(np.full((3, 2), 0.1), np.arange(3), centred=True)
    with pytest.raises(ArgumentError, match=r"`states` .*only zeros"):
        effective_rank(np.zeros((3, 2)), np.arange(3))
    with pytest.raises(ArgumentError, match="`states`"):
        effective_rank(np.zeros((3, 2)), np.arange(4))
    with pytest.raises(ArgumentError, match="`batch_size`"):
        last_hidden_states(tiny_llama(), panel, batch_size=0)

    class Anonymous(torch.nn.Module):
        def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
            return torch.zeros(*input_ids.shape, 50)

    with pytest.raises(ScoringError, match="which its output layer is"):
        last_hidden_states(Anonymous(), panel)

    class Uncalled(Anonymous):
        def get_output_embeddings(self) -> torch.nn.Module:
            return torch.nn.Linear(1, 1)

    with pytest.raises(ScoringError, match="called its output layer 0 times"):
        last_hidden_states(Uncalled(), panel)
    broken = tiny_llama()
    with torch.no_grad():
        broken.model.norm.weight[0] = math.nan
    with pytest.raises(ScoringError, match=r"not finite at document 0 .* position 1:"):
        last_hidden_states(broken, panel)


def test_it_can_be_watched() -> None:
    panel, model = tiny_panel(), tiny_gpt2()
    monitor = CollapseMonitor(
        panel, readings=[..., hidden_state_reading(centred=True)], sampling=BRIEF
    )
    expected = hidden_state_rank(model, panel, centred=True)
    start = monitor.start(model)
    assert start["hidden_state_rank"] == pytest.approx(expected.value)
    assert start.standard_errors["hidden_state_rank"] == pytest.approx(expected.standard_error)
