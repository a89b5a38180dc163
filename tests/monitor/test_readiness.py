import copy
import json
import logging
import math

import numpy as np
import pytest
import torch

from collapse_guard import CollapseMonitor, EveryNSteps, Threshold
from collapse_guard.monitor.readiness import unigram_nll
from tests.tiny import tiny_gpt2, tiny_panel

RULES = [Threshold("tail_retention", below=0.85, alpha=None)]


def learning(panel, *, steps: int):
    """A model, step after step, while it learns the very text that it is looked at on."""
    model = tiny_gpt2()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(steps):
        yield model
        loss = model(input_ids=panel.input_ids, labels=panel.input_ids).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def test_frequencies_alone_are_worth_their_cross_entropy() -> None:
    panel = tiny_panel()
    tokens = panel.input_ids[panel.positions].numpy()
    counts = panel.reference.counts + 0.5
    expected = -np.log(counts[tokens] / counts.sum()).mean()
    assert unigram_nll(panel) == pytest.approx(expected, rel=0.02)


def test_a_panel_of_no_human_reference_asks_for_nothing() -> None:
    assert math.isnan(unigram_nll(object()))


@pytest.mark.parametrize("waits", [True, False])
def test_rules_wait_until_a_model_knows_more_than_frequencies(
    waits: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="collapse_guard")
    panel = tiny_panel()
    monitor = CollapseMonitor(
        panel, rules=RULES, rules_wait=waits, pace=EveryNSteps(1), sampling=None
    )
    losses, fired = [], []
    for step, model in enumerate(learning(panel, steps=40)):
        look = monitor.look(model, step) if step else monitor.start(model)
        losses.append(math.log(look["perplexity"]))
        fired.append(bool(look.alerts))
    ready = next(step for step, loss in enumerate(losses) if loss <= unigram_nll(panel))
    assert 1 < ready < 39
    if waits:
        assert not any(fired[: ready + 1])
        assert monitor.history[ready]["tail_retention"] == 1.0
        assert f"from step {ready} the model is better" in caplog.text
    else:
        assert monitor.history[ready]["tail_retention"] != 1.0
        assert "rules wait" not in caplog.text


def test_a_model_that_knows_language_has_its_rules_at_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, logger="collapse_guard")
    panel = tiny_panel()
    *_, model = learning(panel, steps=60)
    monitor = CollapseMonitor(panel, rules=RULES, sampling=None)
    start = monitor.start(model)
    assert math.log(start["perplexity"]) < unigram_nll(panel)
    monitor.look(tiny_gpt2(seed=4), 1)
    assert [alert.step for alert in monitor.alerts] == [1]
    assert "rules wait" not in caplog.text


def test_a_given_start_does_not_wait() -> None:
    panel = tiny_panel()
    first = CollapseMonitor(panel, rules=[], sampling=None)
    first.start(tiny_gpt2())
    told = Threshold("tail_retention", below=1e9, alpha=None)
    monitor = CollapseMonitor(panel, rules=[told], sampling=None, baseline=first.baseline)
    assert monitor.look(tiny_gpt2(seed=4), 1).alerts


def test_a_resumed_run_waits_on() -> None:
    panel = tiny_panel()
    models = [copy.deepcopy(model) for model in learning(panel, steps=40)]
    whole, first, second = (CollapseMonitor(panel, rules=RULES, sampling=None) for _ in range(3))
    for monitor in (whole, first):
        monitor.start(models[0])
    first.look(models[1], 1)
    whole.look(models[1], 1)
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    for step in range(2, 40):
        assert second.look(models[step], step) == whole.look(models[step], step)
    assert second.baseline == whole.baseline
