"""A run's state: what is saved, and what an older release has saved."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from collapse_guard import ArgumentError, Budget, CollapseMonitor, Threshold
from tests.tiny import VOCAB, perturb, tiny_gpt2, tiny_panel

# What `state_dict` of release 0.1.0 returned of a monitor with the rule and the panel below,
# started on `tiny_gpt2` and looked at it, after `perturb(model, 0.05)`, at steps 1 and 2; and what
# that release then read, after `perturb(model, 0.05, seed=2)`, at step 3.
SAVED: dict[str, Any] = json.loads(
    Path(__file__).with_name("state_of_0_1_0.json").read_text(encoding="utf-8")
)
RULE = Threshold("head_retention", below=0.9, patience=3, alpha=None)


def monitor(**arguments: Any) -> CollapseMonitor:
    settings = {"rules": [RULE], "pace": Budget(0.5), "rules_wait": False, **arguments}
    return CollapseMonitor(tiny_panel(documents=4), **settings)


def test_a_state_of_the_last_release_goes_on() -> None:
    resumed, model = monitor(), tiny_gpt2()
    resumed.load_state_dict(SAVED["state"])
    perturb(model, 0.05)
    perturb(model, 0.05, seed=2)
    look = resumed.look(model, 3)
    assert dict(look) == pytest.approx(SAVED["then"], rel=1e-5)
    assert [alert.message for alert in resumed.alerts] == SAVED["alerts"]
    assert len(look.alerts) == 1


def test_what_is_no_state_is_refused_by_name() -> None:
    for given, missing in (({}, "baseline, base"), ({"baseline": None}, "base, alarms")):
        with pytest.raises(ArgumentError, match=f"without {missing}"):
            monitor().load_state_dict(given)


def test_a_refused_state_leaves_the_run_as_it_is() -> None:
    mine, model = monitor(), tiny_gpt2()
    mine.start(model)
    before = json.dumps(mine.state_dict())
    other = CollapseMonitor(tiny_panel(documents=5), rules=[RULE])
    other.start(model)
    with pytest.raises(ArgumentError, match="`state` expected one of a monitor of this panel"):
        mine.load_state_dict(other.state_dict())
    assert json.dumps(mine.state_dict()) == before


def test_state_before_a_start_is_plain_and_loads() -> None:
    state = json.loads(json.dumps(monitor().state_dict()))
    resumed = monitor()
    resumed.load_state_dict(state)
    assert not resumed.started


def test_a_run_that_begins_again_forgets() -> None:
    mine, model = monitor(), tiny_gpt2()
    mine.start(model)
    perturb(model, 0.5)
    for step in range(1, 5):
        mine.look(model, step)
    assert mine.alerts
    mine.start(model)
    assert (mine.alerts, len(mine.history)) == ([], 1)
    assert mine.look(model, 1)["tail_retention"] == 1.0


@pytest.mark.parametrize("keeps_start", [False, True])
def test_a_run_that_begins_again_is_as_a_new_monitors(keeps_start: bool) -> None:
    used, model = monitor(), tiny_gpt2()
    used.start(model)
    start = used.baseline
    assert start is not None
    for step, seed in enumerate((1, 2, 3), start=1):
        perturb(model, 0.05, seed=seed)
        used.look(model, step)
    before = used.state_dict()
    new = monitor(baseline=start) if keeps_start else monitor()
    used._run.begin(start if keeps_start else None)
    assert used.state_dict() == new.state_dict() != before
    assert (used.history, used.alerts) == ([], [])
    if keeps_start:
        used.begin(start)
        assert used.baseline is start
        assert used.look(model, 0) == new.look(model, 0)


def test_a_start_of_another_panel_is_refused_and_changes_nothing() -> None:
    used, other = monitor(), CollapseMonitor(tiny_panel(documents=5), rules=[])
    for each in (used, other):
        each.start(tiny_gpt2())
    before = used.state_dict()
    assert other.baseline is not None
    with pytest.raises(ArgumentError, match="`baseline` expected one of a monitor of this panel"):
        used.begin(other.baseline)
    assert used.state_dict() == before


def test_a_state_brings_no_looks_of_another_run() -> None:
    used = monitor()
    used.start(tiny_gpt2())
    used.look(tiny_gpt2(seed=5), 1)
    used.load_state_dict(json.loads(json.dumps(used.state_dict())))
    assert used.history == []


def test_state_goes_on_after_json() -> None:
    rule = Threshold("tail_retention", below=0.999, patience=3, alpha=None)
    panel, model = tiny_panel(), tiny_gpt2()
    whole = CollapseMonitor(panel, rules=[rule], rules_wait=False)
    whole.start(model)
    perturb(model, 0.3)
    whole.look(model, 1)
    whole.look(model, 2)
    resumed = CollapseMonitor(panel, rules=[rule], rules_wait=False)
    resumed.load_state_dict(json.loads(json.dumps(whole.state_dict())))
    assert resumed.look(model, 3) == whole.look(model, 3)
    assert resumed.alerts == whole.alerts != []
    again = CollapseMonitor(panel, rules=[rule], rules_wait=False)
    again.load_state_dict(json.loads(json.dumps(resumed.state_dict())))
    assert again.alerts == whole.alerts


def test_state_of_another_panel_is_refused() -> None:
    monitor = CollapseMonitor(tiny_panel())
    monitor.start(tiny_gpt2())
    with pytest.raises(ArgumentError, match="`state` expected one of a monitor of this panel"):
        CollapseMonitor(tiny_panel(window=20)).load_state_dict(monitor.state_dict())


def test_a_vocabulary_that_grows_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    mine, model = monitor(), tiny_gpt2()
    mine.start(model)
    mine.look(model, 1)
    with caplog.at_level(logging.WARNING, logger="collapse_guard"):
        model.resize_token_embeddings(VOCAB + 7, mean_resizing=False)
        grown = [mine.look(model, step) for step in (2, 3)]
    assert [f"predicts {VOCAB + 7} types now, and {VOCAB} at" in m for m in caplog.messages] == [
        True
    ]
    # Each old type gives up a share to the new ones, and the same of them all.
    assert all(0.5 < look["tail_retention"] < 1 for look in grown)
    assert grown[0]["effective_vocabulary"] > VOCAB / 2
    caplog.clear()
    mine.start(model)
    assert not caplog.messages
