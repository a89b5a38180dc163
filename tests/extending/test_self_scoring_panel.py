"""A panel for a model that is no language model: densities of rows of numbers.

Inside of the package one adds a class with what `collapse_guard/readings/panel.py` lists, and the
one method of `ScoresItself`.
"""

from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from collapse_guard import ArgumentError, CollapseMonitor, Sampling, Threshold
from collapse_guard.alerts.default_rules import default_rules
from collapse_guard.readings.registry import READINGS
from tests.paces import Scripted

TAIL, HEAD = 30, 50
"""Held-out rows of either."""


class Normal(torch.nn.Module):
    """A product of normal laws, which gives rows of numbers their log-density."""

    def __init__(self, dimensions: int = 3) -> None:
        super().__init__()
        self.mean = torch.nn.Parameter(torch.zeros(dimensions))
        self.log_deviation = torch.nn.Parameter(torch.zeros(dimensions))

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        law = torch.distributions.Normal(self.mean, self.log_deviation.exp())
        return law.log_prob(rows).sum(-1)


class Rows:
    """Rows of numbers, each a document of one position; those far from the middle are the tail."""

    def __init__(self, rows: torch.Tensor, is_tail: torch.Tensor) -> None:
        self.rows = rows
        self.document_ids = torch.arange(len(rows))
        self.positions = torch.ones(len(rows), 1, dtype=torch.bool)
        self.tail_positions, self.head_positions = is_tail[:, None], ~is_tail[:, None]
        self.num_documents = len(rows)
        self.fingerprint = "00000000000000aa"

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def position_counts(self) -> dict[str, npt.NDArray[np.float64]]:
        bands = {"all": self.positions, "tail": self.tail_positions, "head": self.head_positions}
        return {name: at.sum(1).numpy().astype(np.float64) for name, at in bands.items()}

    def log_probs(self, model: torch.nn.Module, windows: torch.Tensor) -> torch.Tensor:
        assert not torch.is_grad_enabled()
        density: torch.Tensor = model(self.rows[windows])
        return density[:, None]


def rows_with_a_tail() -> Rows:
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(TAIL + HEAD, 3, generator=generator)
    is_tail = torch.arange(len(rows)) < TAIL
    rows[is_tail] += 3.0
    return Rows(rows, is_tail)


def test_its_readings_are_those_of_the_densities() -> None:
    panel, model = rows_with_a_tail(), Normal()
    monitor = CollapseMonitor(panel, pace=Scripted(20))
    start = model(panel.rows).detach().double()
    monitor.start(model)
    with torch.no_grad():
        model.log_deviation.fill_(-0.2)
    now = model(panel.rows).detach().double()
    look = monitor.look(model, 1)
    moved = now - start
    assert look["tail_retention"] == pytest.approx(float(moved[:TAIL].mean().exp()))
    assert look["head_retention"] == pytest.approx(float(moved[TAIL:].mean().exp()))
    assert look["tail_gap"] == pytest.approx(float(moved[TAIL:].mean() - moved[:TAIL].mean()))
    assert look["tail_logprob"] == pytest.approx(float(now[:TAIL].mean()))
    assert look["tail_prob"] == pytest.approx(float(now[:TAIL].exp().mean()))
    assert look["perplexity"] == pytest.approx(float((-now.mean()).exp()))
    spread = float(moved[:TAIL].std()) / TAIL**0.5
    retention = look.estimate("tail_retention")
    assert retention.standard_error / retention.value == pytest.approx(spread)


def test_small_looks_go_round_it_and_the_usual_alarms_fire() -> None:
    panel, model = rows_with_a_tail(), Normal()
    monitor = CollapseMonitor(panel, pace=Scripted(20))
    monitor.start(model)
    with torch.no_grad():
        model.log_deviation.sub_(0.05)
    looks = [monitor.observe(model, step) for step in range(1, 13)]
    whole = monitor.look(model, 13)
    assert not any(look.is_full for look in looks)
    assert looks[-1]["tail_retention"] == pytest.approx(whole["tail_retention"], rel=0.05)
    assert whole["tail_retention"] < 0.5
    told = {alert.reading for look in looks for alert in look.alerts}
    assert {"tail_retention", "tail_gap"} <= told


def test_nothing_is_raised_where_nothing_moves_and_the_model_stays_as_it_was() -> None:
    panel, model = rows_with_a_tail(), Normal().train()
    monitor = CollapseMonitor(panel, pace=Scripted(20))
    before, chance = [p.clone() for p in model.parameters()], torch.get_rng_state()
    monitor.start(model)
    for step in range(1, 12):
        monitor.observe(model, step)
    assert monitor.look(model, 12)["tail_retention"] == 1.0
    assert monitor.alerts == []
    assert model.training
    assert all(map(torch.equal, before, model.parameters()))
    assert torch.equal(chance, torch.get_rng_state())


def test_what_needs_a_distribution_over_types_is_left_out_by_default() -> None:
    monitor = CollapseMonitor(rows_with_a_tail())
    of_types = {name for name, kind in READINGS.items() if kind.of_types}
    assert {"tail_mass_ratio", "effective_vocabulary", "predictive_entropy"} < of_types
    assert {name for name, kind in READINGS.items() if kind.needs == "sampling"} < of_types
    assert of_types.isdisjoint(monitor.reading_names)
    assert monitor.sampling is None
    usual = {rule.reading for rule in default_rules(sampling=False)} - of_types
    assert {rule.reading for rule in monitor.rules} == usual


@pytest.mark.parametrize("name", ["tail_mass_ratio", "effective_vocabulary", "free_distinct_2"])
def test_where_it_is_asked_for_it_is_named(name: str) -> None:
    rule: Any = Threshold("perplexity", above=9.0, beside=Threshold(name, below=0.5))
    for arguments in (
        {"readings": [..., name]},
        {"rules": [Threshold(name, below=0.5)]},
        {"rules": [rule]},
    ):
        message = rf"`{next(iter(arguments))}` expected readings of log-prob.* got .*{name}"
        with pytest.raises(ArgumentError, match=message):
            CollapseMonitor(rows_with_a_tail(), **arguments)
    with pytest.raises(ArgumentError, match="`sampling` expected None"):
        CollapseMonitor(rows_with_a_tail(), sampling=Sampling())
