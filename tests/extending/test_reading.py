"""A reading from outside of the package: watched, logged, alarmed on, saved, plotted.

Inside of the package one adds a function to the module of its kind (`collapse_guard/readings/`,
such as `teacher_forced.py`) and a line to the table in `collapse_guard/readings/registry.py`.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from collapse_guard import (
    ArgumentError,
    CollapseGuardError,
    CollapseMonitor,
    EveryNSteps,
    ReadingKind,
    Threshold,
)
from collapse_guard.callbacks.records import record_keys, record_of
from collapse_guard.integrations.plots import figure_svg, plot_readings
from collapse_guard.readings.evidence import Evidence
from collapse_guard.statistics.estimates import Estimate, ratio
from tests.looks import BANDED
from tests.paces import Scripted
from tests.tiny import BRIEF, perturb, tiny_gpt2, tiny_panel


def weight_norm(evidence: Evidence) -> float:
    return float(sum(p.detach().square().sum() for p in evidence.model.parameters()) ** 0.5)


def torso_logprob(evidence: Evidence) -> Estimate:
    """Mean log-probability of what is neither head nor tail, off the scores of the look."""
    panel, scores = evidence.panel, evidence.whole
    torso = scores.logprob - scores.tail_logprob - scores.head_logprob
    counts = panel.position_counts
    return ratio(
        evidence.by_document(torso),
        evidence.by_document(counts["all"] - counts["tail"] - counts["head"]),
    )


def logprob_moved(evidence: Evidence) -> float:
    return float(evidence.whole.logprob.sum() - evidence.kept("logprob_moved"))


NORM = ReadingKind("weight_norm", "Euclidean norm of all weights", weight_norm, cost="each look")
TORSO = ReadingKind(
    "torso_logprob", "mean log-probability of the torso", torso_logprob, start="below 0"
)
MOVED = ReadingKind(
    "logprob_moved",
    "summed log-probability, against the start's",
    logprob_moved,
    start="at 0",
    keep_start=lambda evidence: float(evidence.whole.logprob.sum()),
)


def watching(**arguments) -> CollapseMonitor:
    readings = [..., NORM, TORSO, MOVED]
    settings = {"sampling": BRIEF, **arguments}
    return CollapseMonitor(tiny_panel(), readings=readings, rules_wait=False, **settings)


def test_it_is_read_beside_the_package_s_own() -> None:
    monitor, model = watching(), tiny_gpt2()
    start = monitor.start(model)
    assert start["weight_norm"] == weight_norm_of(model)
    assert start["logprob_moved"] == 0.0
    panel = monitor.panel
    torso = panel.positions & ~panel.tail_positions & ~panel.head_positions
    with torch.no_grad():
        logprobs = model(panel.input_ids).logits.log_softmax(-1).roll(1, dims=1)
    told = logprobs.gather(2, panel.input_ids[..., None]).squeeze(2)[torso]
    assert start["torso_logprob"] == pytest.approx(told.mean().item(), abs=1e-5)
    assert start.standard_errors["torso_logprob"] > 0
    plain = CollapseMonitor(tiny_panel(), sampling=BRIEF).start(model)
    assert {name: start[name] for name in plain} == dict(plain)


def weight_norm_of(model: torch.nn.Module) -> float:
    return float(sum(p.detach().square().sum() for p in model.parameters()) ** 0.5)


def test_one_that_is_cheap_is_read_at_each_look() -> None:
    monitor, model = watching(pace=Scripted(6)), tiny_gpt2()
    monitor.start(model)
    small = monitor.observe(model, 1)
    assert set(small) == {*BANDED, "weight_norm"}


def test_rules_are_held_against_it() -> None:
    rules = [
        Threshold("weight_norm", above=1.5, relative_to_start=True, alpha=None),
        Threshold("torso_logprob", below=-30.0),
    ]
    monitor, model = watching(rules=rules), tiny_gpt2()
    monitor.start(model)
    assert monitor.look(model, 1).alerts == ()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2.0)
    (alert,) = [a for a in monitor.look(model, 2).alerts if a.reading == "weight_norm"]
    assert "It is the Euclidean norm of all weights." in alert.message
    with pytest.raises(ArgumentError, match="`relative_to_start`"):
        watching(rules=[Threshold("logprob_moved", below=0.5, relative_to_start=True)])
    with pytest.raises(ArgumentError, match=r"readings=\[\.\.\., mine\]"):
        CollapseMonitor(tiny_panel(), rules=[Threshold("weight_norm", above=1.0)], sampling=BRIEF)


def test_it_is_logged_saved_and_plotted() -> None:
    whole, model = watching(), tiny_gpt2()
    whole.start(model)
    perturb(model, 0.1)
    look = whole.look(model, 1)
    assert record_of(look, whole)["torso_logprob"] == look["torso_logprob"]
    assert {"weight_norm", "torso_logprob", "logprob_moved"} < set(record_keys(whole))
    resumed = watching()
    resumed.load_state_dict(json.loads(json.dumps(whole.state_dict())))
    assert resumed.look(model, 1) == look
    assert look["logprob_moved"] != 0.0
    svg = figure_svg(plot_readings({"mine": whole.history}, ["weight_norm"]))
    assert svg.startswith("<svg")


def test_a_state_or_a_start_without_it_is_refused() -> None:
    plain, model = CollapseMonitor(tiny_panel(), sampling=BRIEF), tiny_gpt2()
    plain.start(model)
    with pytest.raises(ArgumentError, match="weight_norm, torso_logprob, logprob_moved"):
        watching().load_state_dict(plain.state_dict())
    with pytest.raises(ArgumentError, match="`baseline` expected the start of a monitor that"):
        watching(baseline=plain.baseline)


def test_it_may_stand_alone() -> None:
    monitor = CollapseMonitor(tiny_panel(), readings=[NORM, "tail_retention"], sampling=BRIEF)
    assert list(monitor.start(tiny_gpt2())) == ["weight_norm", "tail_retention"]
    # Of the usual rules those are left that are about what is read.
    assert [rule.reading for rule in monitor.rules] == ["tail_retention"] * 2


@pytest.mark.parametrize("returned", ["a word", None, True])
def test_what_is_no_number_is_refused(returned: object) -> None:
    kind = ReadingKind("broken", "broken", lambda evidence: returned)
    monitor = CollapseMonitor(tiny_panel(), readings=[kind], sampling=BRIEF)
    with pytest.raises(CollapseGuardError, match=f"reading broken returned {returned!r} of type"):
        monitor.start(tiny_gpt2())


def test_what_it_raises_names_it() -> None:
    kind = ReadingKind("broken", "broken", lambda evidence: 1 / 0)
    with pytest.raises(ZeroDivisionError) as caught:
        CollapseMonitor(tiny_panel(), readings=[kind], sampling=BRIEF).start(tiny_gpt2())
    assert caught.value.__notes__ == ["It was raised while reading broken was taken."]


def test_numpy_numbers_are_numbers() -> None:
    kind = ReadingKind("one", "one", lambda evidence: np.float32(1.0))
    reading = CollapseMonitor(tiny_panel(), readings=[kind], sampling=BRIEF).start(tiny_gpt2())
    assert type(reading["one"]) is float


def test_a_checkpoint_of_the_last_release_goes_on(tmp_path: Path) -> None:
    monitor, model = CollapseMonitor(tiny_panel(), pace=EveryNSteps(2), sampling=BRIEF), tiny_gpt2()
    monitor.start(model)
    state = monitor.state_dict()
    # That release kept nothing for readings of the user's.
    del state["baseline"]["kept"]
    resumed = CollapseMonitor(tiny_panel(), pace=EveryNSteps(2), sampling=BRIEF)
    resumed.load_state_dict(json.loads(json.dumps(state)))
    perturb(model, 0.1)
    assert resumed.look(model, 1) == monitor.look(model, 1)
    with pytest.raises(ArgumentError, match="`state` expected what state_dict"):
        resumed.load_state_dict({"baseline": None})
