import json

import pytest
import torch

from collapse_guard import ArgumentError, CollapseGuardError, CollapseMonitor, Threshold
from collapse_guard.readings import READINGS
from tests.tiny import perturb, tiny_gpt2, tiny_panel


def test_retention_is_paired_with_the_start() -> None:
    monitor, model = CollapseMonitor(tiny_panel()), tiny_gpt2()
    assert monitor.start(model)["tail_retention"] == 1.0
    perturb(model, 0.1)
    reading = monitor.observe(model, 5)
    start = monitor.history[0]
    assert reading["tail_retention"] != 1.0
    # Every window has as many positions as any other, but documents differ in tail tokens.
    assert reading["tail_logprob"] - start["tail_logprob"] == pytest.approx(
        torch.tensor(reading["tail_retention"]).log().item(), abs=0.2
    )
    assert [each.step for each in monitor.history] == [0, 5]


def test_alerts_wait_for_patience_and_are_told_once() -> None:
    rule = Threshold("tail_retention", below=0.999, patience=2, confidence=0.5)
    monitor, model = CollapseMonitor(tiny_panel(), rules=[rule]), tiny_gpt2()
    monitor.start(model)
    worse = tiny_gpt2()
    perturb(worse, 0.3)
    assert monitor.observe(worse, 1)["tail_retention"] < 0.9
    told = []
    for step, looked_at in enumerate([model, worse, worse, worse, model, worse, worse], start=2):
        monitor.observe(looked_at, step)
        told.append(len(monitor.alerts))
    assert told == [0, 0, 1, 1, 1, 1, 2]
    assert [alert.step for alert in monitor.alerts] == [4, 8]


def test_no_rules_no_alerts() -> None:
    monitor, model = CollapseMonitor(tiny_panel(), rules=[]), tiny_gpt2()
    monitor.start(model)
    perturb(model, 1.0)
    monitor.observe(model, 1)
    assert monitor.alerts == []


def test_a_chain_shares_its_first_start() -> None:
    panel, model = tiny_panel(), tiny_gpt2()
    first = CollapseMonitor(panel)
    first.start(model)
    perturb(model, 0.1)
    second = CollapseMonitor(panel, baseline=first.baseline)
    assert second.started
    assert second.observe(model, 0) == first.observe(model, 0)


def test_state_goes_on_after_json() -> None:
    rule = Threshold("tail_retention", below=0.999, patience=3, confidence=0.5)
    panel, model = tiny_panel(), tiny_gpt2()
    whole = CollapseMonitor(panel, rules=[rule])
    whole.start(model)
    perturb(model, 0.3)
    whole.observe(model, 1)
    whole.observe(model, 2)
    resumed = CollapseMonitor(panel, rules=[rule])
    resumed.load_state_dict(json.loads(json.dumps(whole.state_dict())))
    assert resumed.observe(model, 3) == whole.observe(model, 3)
    assert resumed.alerts == whole.alerts != []
    again = CollapseMonitor(panel, rules=[rule])
    again.load_state_dict(json.loads(json.dumps(resumed.state_dict())))
    assert again.alerts == whole.alerts


def test_state_of_another_panel_is_refused() -> None:
    monitor = CollapseMonitor(tiny_panel())
    monitor.start(tiny_gpt2())
    with pytest.raises(ArgumentError, match="`state` expected one of a monitor of this panel"):
        CollapseMonitor(tiny_panel(window=20)).load_state_dict(monitor.state_dict())


def test_looking_leaves_no_trace() -> None:
    model = tiny_gpt2(dropout=0.1).train()
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.get_rng_state()
    monitor = CollapseMonitor(tiny_panel())
    monitor.start(model)
    monitor.observe(model, 1)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all((parameter.grad == 1).all() for parameter in model.parameters())
    assert all(module.training for module in model.modules())


def test_dropout_is_off_while_looking() -> None:
    monitor, model = CollapseMonitor(tiny_panel()), tiny_gpt2(dropout=0.5).train()
    monitor.start(model)
    assert monitor.observe(model, 1)["tail_retention"] == 1.0


def test_bad_use() -> None:
    with pytest.raises(ArgumentError, match="`batch_size`"):
        CollapseMonitor(tiny_panel(), batch_size=0)
    with pytest.raises(CollapseGuardError, match=r"call start\(model\)"):
        CollapseMonitor(tiny_panel()).observe(tiny_gpt2(), 1)


def test_every_reading_has_a_description() -> None:
    monitor = CollapseMonitor(tiny_panel())
    assert set(monitor.start(tiny_gpt2())) == set(READINGS)
