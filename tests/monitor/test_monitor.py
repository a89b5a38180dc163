import json
import math
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model

from collapse_guard import (
    ArgumentError,
    Budget,
    CollapseGuardError,
    CollapseMonitor,
    EveryNSteps,
    Threshold,
)
from collapse_guard.monitor.stopwatch import Stopwatch
from collapse_guard.readings.panel_logprobs import panel_logprobs
from tests.looks import BANDED, PAIRED
from tests.monitor.test_stopwatch import Clock
from tests.paces import Scripted
from tests.tiny import BRIEF, perturb, tiny_gpt2, tiny_panel


def test_retention_is_paired_with_the_start() -> None:
    monitor, model = CollapseMonitor(tiny_panel(), sampling=BRIEF), tiny_gpt2()
    assert monitor.start(model)["tail_retention"] == 1.0
    perturb(model, 0.1)
    reading = monitor.look(model, 5)
    start = monitor.history[0]
    assert reading["tail_retention"] != 1.0
    # Every window has as many positions as any other, but documents differ in tail tokens.
    assert reading["tail_logprob"] - start["tail_logprob"] == pytest.approx(
        torch.tensor(reading["tail_retention"]).log().item(), abs=0.2
    )
    assert [each.step for each in monitor.history] == [0, 5]


def test_alerts_wait_for_patience_and_are_told_once() -> None:
    rule = Threshold("tail_retention", below=0.999, patience=2, alpha=None)
    monitor, model = (
        CollapseMonitor(tiny_panel(), rules=[rule], rules_wait=False, sampling=BRIEF),
        tiny_gpt2(),
    )
    monitor.start(model)
    worse = tiny_gpt2()
    perturb(worse, 0.3)
    assert monitor.look(worse, 1)["tail_retention"] < 0.9
    told = []
    for step, looked_at in enumerate([model, worse, worse, worse, model, worse, worse], start=2):
        monitor.look(looked_at, step)
        told.append(len(monitor.alerts))
    assert told == [0, 0, 1, 1, 1, 1, 2]
    assert [alert.step for alert in monitor.alerts] == [4, 8]


def test_no_rules_no_alerts() -> None:
    monitor, model = CollapseMonitor(tiny_panel(), rules=[], sampling=BRIEF), tiny_gpt2()
    monitor.start(model)
    perturb(model, 1.0)
    monitor.look(model, 1)
    assert monitor.alerts == []


def test_a_chain_shares_its_first_start() -> None:
    panel, model = tiny_panel(), tiny_gpt2()
    first = CollapseMonitor(panel, sampling=BRIEF)
    first.start(model)
    perturb(model, 0.1)
    second = CollapseMonitor(panel, baseline=first.baseline, sampling=BRIEF)
    assert second.started
    assert second.look(model, 0) == first.look(model, 0)


def test_what_each_position_was_given_is_known_of_the_last_whole_look() -> None:
    panel, model = tiny_panel(), tiny_gpt2()
    monitor = CollapseMonitor(panel, sampling=BRIEF, pace=EveryNSteps(2))
    assert monitor.position_logprobs is None
    monitor.start(model)
    perturb(model, 0.1)
    monitor.observe(model, 1)
    assert monitor.position_logprobs == pytest.approx(panel_logprobs(tiny_gpt2(), panel))
    monitor.observe(model, 2)
    assert monitor.position_logprobs == pytest.approx(panel_logprobs(model, panel))
    monitor.begin(monitor.baseline)
    assert monitor.position_logprobs is None


def test_looking_leaves_no_trace() -> None:
    model = tiny_gpt2(dropout=0.1).train()
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.get_rng_state()
    monitor = CollapseMonitor(tiny_panel(), sampling=BRIEF)
    monitor.start(model)
    monitor.look(model, 1)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all((parameter.grad == 1).all() for parameter in model.parameters())
    assert all(module.training for module in model.modules())


def test_dropout_is_off_while_looking() -> None:
    monitor, model = CollapseMonitor(tiny_panel(), sampling=BRIEF), tiny_gpt2(dropout=0.5).train()
    monitor.start(model)
    assert monitor.look(model, 1)["tail_retention"] == 1.0


def test_bad_use() -> None:
    with pytest.raises(ArgumentError, match="`batch_size`"):
        CollapseMonitor(tiny_panel(), batch_size=0, sampling=BRIEF)
    with pytest.raises(CollapseGuardError, match=r"call start\(model\)"):
        CollapseMonitor(tiny_panel(), sampling=BRIEF).look(tiny_gpt2(), 1)


def looking_at(windows: int, **arguments) -> CollapseMonitor:
    return CollapseMonitor(
        tiny_panel(),
        rules_wait=False,
        **{"pace": Scripted(windows), "sampling": BRIEF, **arguments},
    )


def test_the_pace_is_fixed_by_hand() -> None:
    monitor, model = CollapseMonitor(tiny_panel(), pace=EveryNSteps(3), sampling=BRIEF), tiny_gpt2()
    monitor.start(model)
    looked = [bool(monitor.observe(model, step)) for step in range(1, 8)]
    assert looked == [False, False, True, False, False, True, False]
    assert [reading.step for reading in monitor.history] == [0, 3, 6]


def test_small_looks_add_up_to_a_look_at_all() -> None:
    monitor, model = looking_at(6), tiny_gpt2()
    start = monitor.start(model)
    perturb(model, 0.1)
    first = monitor.observe(model, 1)
    assert not first.is_full
    assert set(first) == set(BANDED)
    whole = CollapseMonitor(monitor.panel, baseline=monitor.baseline, sampling=BRIEF).look(model, 1)
    # A sixth of the panel says where the model is, within an error that says how well it knows.
    error = first.standard_errors["tail_retention"]
    assert abs(first["tail_retention"] - whole["tail_retention"]) < 3 * error
    assert whole.standard_errors["tail_retention"] < error
    assert first.units["tail_retention"] <= 6
    for step in range(2, 2 + 3 * len(monitor.panel) // 6):
        reading = monitor.observe(model, step)
    moved = abs(math.log(whole["tail_retention"]))
    assert abs(math.log(reading["tail_retention"] / whole["tail_retention"])) < 0.1 * moved
    assert 6 < reading.units["tail_retention"] < whole.units["tail_retention"]
    assert reading["head_logprob"] == pytest.approx(whole["head_logprob"], rel=0.1)
    assert start["tail_retention"] == 1.0
    # A look at all of the panel makes everything fresh: both are the plain estimate again.
    assert monitor.look(model, 99) == replace(whole, step=99)


def test_a_first_look_is_at_all_of_the_panel_and_paid_for_as_such() -> None:
    noted = []

    class Noting(Scripted):
        def looked(self, step: int, windows: int, seconds: float) -> None:
            noted.append(windows)

    first, model = CollapseMonitor(tiny_panel(), sampling=BRIEF), tiny_gpt2()
    first.start(model)
    monitor = looking_at(6, baseline=first.baseline, pace=Noting(6))
    # It has a start, but has looked at nothing itself that small looks could add to.
    assert [monitor.observe(model, step).is_full for step in (1, 2)] == [True, False]
    assert noted == [len(monitor.panel), 6]


def test_rules_are_held_against_small_looks() -> None:
    rule = Threshold("tail_retention", below=0.9, alpha=None)
    monitor, model = looking_at(12, rules=[rule]), tiny_gpt2()
    monitor.start(model)
    perturb(model, 0.3)
    while not monitor.alerts:
        reading = monitor.observe(model, 1)
    assert reading["tail_retention"] < 0.9
    assert len(monitor.history) == 1


def test_a_resumed_rotation_goes_on() -> None:
    whole, model = looking_at(5), tiny_gpt2()
    whole.start(model)
    perturb(model, 0.2)
    for step in range(1, 4):
        whole.observe(model, step)
    resumed = looking_at(5)
    resumed.load_state_dict(json.loads(json.dumps(whole.state_dict())))
    for step in range(4, 9):
        assert resumed.observe(model, step) == whole.observe(model, step)


def test_a_budget_is_kept_and_told() -> None:
    monitor, model = CollapseMonitor(tiny_panel(), pace=Budget(0.5), sampling=BRIEF), tiny_gpt2()
    monitor.start(model)
    assert math.isnan(monitor.overhead_spent)
    looks = []
    for step in range(1, 40):
        model(torch.zeros(8, 32, dtype=torch.int64)).logits.sum().backward()
        looks.append(monitor.observe(model, step))
    assert any(looks)
    assert not all(looks)
    assert monitor.overhead_spent > 0


def test_the_model_without_its_adapters_is_a_reference() -> None:
    adapter = LoraConfig(r=4, target_modules=["c_attn"], fan_in_fan_out=True)
    model = get_peft_model(tiny_gpt2(), adapter)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, generator=torch.Generator().manual_seed(0))
    trained = {name: parameter.requires_grad for name, parameter in model.named_parameters()}
    monitor = CollapseMonitor(tiny_panel(), against_base=True, sampling=BRIEF)
    start = monitor.start(model)
    assert start["tail_retention"] == 1.0
    base = CollapseMonitor(monitor.panel, sampling=BRIEF)
    base.start(tiny_gpt2())
    expected = base.look(model, 0)
    for name in PAIRED:
        assert start[f"{name}_vs_base"] == pytest.approx(expected[name], rel=1e-5)
    assert expected["tail_retention"] != pytest.approx(1.0, abs=0.01)
    assert trained == {name: each.requires_grad for name, each in model.named_parameters()}


def test_a_monitor_says_what_it_was_given_and_what_it_has_seen() -> None:
    monitor, model = looking_at(6), tiny_gpt2()
    assert monitor.sampling is BRIEF
    assert monitor.prequential is None
    assert (monitor.written, monitor.baseline, monitor.history) == (None, None, [])
    start = monitor.start(model)
    assert [kind.name for kind in monitor.readings] == list(monitor.reading_names) == list(start)
    assert monitor.written is not None
    assert monitor.written.free.shape == (BRIEF.num_free, BRIEF.length)
    before = monitor.written
    monitor.observe(model, 1)
    # It writes at looks at the whole panel alone.
    assert monitor.written is before
    monitor.look(model, 2)
    assert monitor.written is not before


def test_it_says_whether_its_rules_wait() -> None:
    # A model that was never trained knows less than the frequencies of tokens do.
    for waits in (True, False):
        monitor = CollapseMonitor(tiny_panel(), rules_wait=waits, sampling=None)
        monitor.start(tiny_gpt2())
        assert monitor.rules_are_waiting is waits


def test_nothing_is_observed_before_there_is_a_start() -> None:
    with pytest.raises(CollapseGuardError, match=r"call start\(model\)"):
        looking_at(6).observe(tiny_gpt2(), 1)


def test_steps_of_other_kinds_are_as_good_as_whole_numbers_and_what_is_none_is_refused() -> None:
    monitor, model = looking_at(6), tiny_gpt2()
    monitor.start(model)
    for step in (np.int64(3), 3):
        look = monitor.observe(model, step)
        assert (look.step, type(look.step), look.is_full) == (3, int, False)
    with pytest.raises(ArgumentError, match="`step` expected"):
        monitor.observe(model, 1.5)
    with pytest.raises(ArgumentError, match="`model` expected"):
        monitor.observe("gpt2", 1)


def test_a_pause_is_no_training() -> None:
    monitor, model, clock = looking_at(0), tiny_gpt2(), Clock()
    monitor._run.clock = Stopwatch(clock)
    monitor.start(model)
    for step, paused in ((1, False), (2, True), (3, False)):
        if paused:
            monitor.pause()
            clock.now += 100
        else:
            clock.now += 3
        monitor.observe(model, step)
    assert monitor.timing_state()["stopwatch"]["trained"] == 6


def test_the_first_process_alone_writes_the_track(tmp_path: Path) -> None:
    monitor = looking_at(6)
    monitor.start(tiny_gpt2())
    path = tmp_path / "human.npz"
    with mock.patch("collapse_guard.monitor.monitor.is_first_process", return_value=False):
        monitor.save_track(path)
    assert not path.exists()
    monitor.save_track(path)
    assert path.exists()
