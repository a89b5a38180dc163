"""A run's state: what is saved, and what an older release has saved."""

import json
import logging
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from collapse_guard import ArgumentError, Baseline, Budget, CollapseMonitor, Threshold
from collapse_guard.monitor import run
from collapse_guard.readings.prequential import PrequentialReader
from tests.readings.test_prequential import BATCH, mixed, train
from tests.tiny import BRIEF, VOCAB, perturb, tiny_gpt2, tiny_panel, tiny_reference

# What `state_dict` of release 0.1.0 returned of a monitor with the rule and the panel below,
# started on `tiny_gpt2` and looked at it, after `perturb(model, 0.05)`, at steps 1 and 2; and what
# that release then read, after `perturb(model, 0.05, seed=2)`, at step 3.
SAVED: dict[str, Any] = json.loads(
    Path(__file__).with_name("state_of_0_1_0.json").read_text(encoding="utf-8")
)
RULE = Threshold("head_retention", below=0.9, patience=3, alpha=None)
AT_ONCE = Threshold("perplexity", above=1.0, alpha=0.1)


def monitor(*, documents: int = 4, **arguments: Any) -> CollapseMonitor:
    settings = {"rules": [RULE], "pace": Budget(0.5), "rules_wait": False, "sampling": BRIEF}
    settings |= arguments
    return CollapseMonitor(tiny_panel(documents=documents), **settings)


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
    other = CollapseMonitor(tiny_panel(documents=5), rules=[RULE], sampling=BRIEF)
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
    used, other = monitor(), CollapseMonitor(tiny_panel(documents=5), rules=[], sampling=BRIEF)
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
    assert used.position_logprobs is None


def test_state_goes_on_after_json() -> None:
    rule = Threshold("tail_retention", below=0.999, patience=3, alpha=None)
    panel, model = tiny_panel(), tiny_gpt2()
    whole = CollapseMonitor(panel, rules=[rule], rules_wait=False, sampling=BRIEF)
    whole.start(model)
    perturb(model, 0.3)
    whole.look(model, 1)
    whole.look(model, 2)
    resumed = CollapseMonitor(panel, rules=[rule], rules_wait=False, sampling=BRIEF)
    resumed.load_state_dict(json.loads(json.dumps(whole.state_dict())))
    assert resumed.look(model, 3) == whole.look(model, 3)
    assert resumed.alerts == whole.alerts != []
    again = CollapseMonitor(panel, rules=[rule], rules_wait=False, sampling=BRIEF)
    again.load_state_dict(json.loads(json.dumps(resumed.state_dict())))
    assert again.alerts == whole.alerts


def test_state_of_another_panel_is_refused() -> None:
    monitor = CollapseMonitor(tiny_panel(), sampling=BRIEF)
    monitor.start(tiny_gpt2())
    with pytest.raises(ArgumentError, match="`state` expected one of a monitor of this panel"):
        CollapseMonitor(tiny_panel(window=20), sampling=BRIEF).load_state_dict(monitor.state_dict())


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


def chained(**arguments: Any) -> CollapseMonitor:
    return monitor(documents=6, **arguments)


def spent(of: CollapseMonitor) -> Any:
    return of.state_dict()["alarms"]["boundaries"]


def lost(**arguments: Any) -> tuple[CollapseMonitor, torch.nn.Module]:
    """A monitor that has told of a loss, and the model that lost."""
    first, model = chained(rules=[AT_ONCE], **arguments), tiny_gpt2()
    first.start(model)
    perturb(model, 0.5)
    for step in (1, 2):
        first.look(model, step)
    assert first.alerts
    return first, model


@pytest.mark.parametrize("as_state", [True, False])
def test_a_chain_goes_on_with_its_start_and_what_is_spent(as_state: bool) -> None:
    first, model = lost()
    given = json.loads(json.dumps(first.state_dict())) if as_state else first
    second = chained(rules=[AT_ONCE], continues=given)
    assert second.started
    assert spent(second) == spent(first) != spent(chained(rules=[AT_ONCE]))
    assert (second.alerts, second.history, second.track.steps) == ([], [], ())
    fresh = {part: chained(rules=[AT_ONCE]).state_dict()[part] for part in ("pace", "rotation")}
    assert {part: second.state_dict()[part] for part in fresh} == fresh
    # It reads what the first would, and tells of what is still lost.
    look = second.look(model, 0)
    assert dict(look) == dict(first.look(model, 3))
    assert [alert.step for alert in second.alerts] == [0]
    assert spent(second) == spent(first)


def test_a_start_that_is_begun_with_again_is_a_chain_and_another_is_none() -> None:
    used, model = lost()
    before, start = spent(used), used.baseline
    assert start is not None
    # As it comes out of a checkpoint.
    used.begin(Baseline.from_dict(json.loads(json.dumps(start.to_dict()))))
    assert (spent(used), used.alerts) == (before, [])
    other = chained(rules=[AT_ONCE])
    other.start(tiny_gpt2(seed=5))
    assert other.baseline is not None
    used.begin(other.baseline)
    assert spent(used) == spent(chained(rules=[AT_ONCE]))
    used.look(model, 0)
    used.start(model)
    assert spent(used) == spent(chained(rules=[AT_ONCE]))


def test_a_chain_goes_on_from_a_checkpoint_of_its_second_run() -> None:
    first, model = lost()
    whole = chained(rules=[AT_ONCE], continues=first)
    whole.look(model, 1)
    resumed = chained(rules=[AT_ONCE], continues=first)
    resumed.load_state_dict(json.loads(json.dumps(whole.state_dict())))
    for each in (whole, resumed):
        each.look(model, 2)
    assert resumed.state_dict()["alarms"] == whole.state_dict()["alarms"]


def test_a_chain_waits_on_where_its_first_model_knew_no_language() -> None:
    first = chained(rules_wait=True)
    first.start(tiny_gpt2())
    assert first.state_dict()["is_waiting"]
    for waits in (True, False):
        second = chained(continues=first, rules_wait=waits)
        assert second.state_dict()["is_waiting"] == waits


def test_rules_wait_on_in_a_chain_that_is_begun_again_and_not_after_it() -> None:
    always = Threshold("tail_retention", below=1e9, alpha=None)
    first = chained(rules=[always], rules_wait=True)
    first.start(tiny_gpt2())
    another = chained(rules=[always])
    another.start(tiny_gpt2(seed=5))
    start = first.baseline
    assert start is not None
    assert another.baseline is not None
    for mine in (first, chained(rules=[always], rules_wait=True, continues=first)):
        mine.begin(start)
        assert mine.state_dict()["is_waiting"]
        assert not mine.look(tiny_gpt2(seed=4), 1).alerts
        mine.begin(another.baseline)
        assert not mine.state_dict()["is_waiting"]
        assert mine.look(tiny_gpt2(seed=4), 1).alerts


def test_what_no_chain_goes_on_from_is_refused() -> None:
    first, _ = lost()
    other = CollapseMonitor(tiny_panel(documents=5), rules=[], sampling=BRIEF)
    other.start(tiny_gpt2())
    few = chained(readings=["perplexity"], rules=[])
    few.start(tiny_gpt2())
    for given, message in (
        ({"continues": chained()}, "`continues` expected a monitor that has started.*without a st"),
        ({"continues": first, "baseline": first.baseline}, "`continues` expected .*both"),
        ({"continues": other}, "`continues` expected one of a monitor of this panel"),
        ({"continues": {}}, "`continues` expected what state_dict"),
        ({"continues": "first"}, "`continues` expected what state_dict"),
        ({"continues": few}, "the start of a monitor that takes the same readings"),
    ):
        with pytest.raises(ArgumentError, match=message):
            chained(**given)


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if "rules can see" in each.getMessage()]


def test_the_log_tells_once_a_run_what_rules_can_see(caplog: pytest.LogCaptureFixture) -> None:
    mine, model = CollapseMonitor(tiny_panel(documents=40), sampling=BRIEF), tiny_gpt2()
    with caplog.at_level(logging.INFO, "collapse_guard"):
        mine.start(model)
        for step in (1, 2):
            mine.look(model, step)
        assert len(told(caplog)) == 1
        mine.start(model)
        assert len(told(caplog)) == 2
        chained = CollapseMonitor(tiny_panel(documents=12), baseline=None, sampling=BRIEF)
        chained.start(model)
        goes_on = CollapseMonitor(
            tiny_panel(documents=12), baseline=chained.baseline, sampling=BRIEF
        )
        goes_on.look(model, 3)
        resumed = CollapseMonitor(tiny_panel(documents=40), sampling=BRIEF)
        resumed.load_state_dict(mine.state_dict())
        resumed.look(model, 4)
        CollapseMonitor(tiny_panel(documents=40), continues=mine, sampling=BRIEF).look(model, 5)
    levels = [each.levelno for each in caplog.records if "rules can see" in each.getMessage()]
    few = [logging.INFO, logging.WARNING]
    assert levels == [logging.INFO, logging.INFO, *few, *few, logging.INFO]


@pytest.mark.parametrize("by", ["start", "begin", "load"])
def test_the_log_tells_anew_what_rules_can_see_where_a_chain_has_ended(
    by: str, caplog: pytest.LogCaptureFixture
) -> None:
    first, model = lost()
    other = chained(rules=[AT_ONCE])
    other.start(tiny_gpt2(seed=5))
    assert first.baseline is not None
    assert other.baseline is not None
    mine = chained(rules=[AT_ONCE], continues=first)
    caplog.clear()
    with caplog.at_level(logging.INFO, "collapse_guard"):
        mine.look(model, 1)
        mine.begin(first.baseline)
        mine.look(model, 1)
        mine.load_state_dict(json.loads(json.dumps(mine.state_dict())))
        mine.look(model, 2)
        assert not told(caplog)
        assert spent(mine)[str(AT_ONCE)]["looks"] == spent(first)[str(AT_ONCE)]["looks"] + 3
        if by == "start":
            mine.start(model)
        elif by == "begin":
            mine.begin(other.baseline)
        else:
            mine.load_state_dict(other.state_dict())
        assert spent(mine) == spent(chained(rules=[AT_ONCE]))
        mine.look(model, 3)
    assert told(caplog)


def test_sight_is_of_an_assumed_spread_until_the_model_has_moved() -> None:
    mine, model = CollapseMonitor(tiny_panel(documents=40), sampling=None), tiny_gpt2()
    before = mine.sight
    assert [each.rule for each in before] == [str(rule) for rule in mine.rules]
    assert not any(each.is_measured for each in before)
    mine.start(model)
    assert mine.sight == before
    perturb(model, 0.02)
    look = mine.look(model, 1)
    measured = {each.reading: each for each in mine.sight}
    assert all(each.is_measured for each in measured.values())
    error = look.standard_errors["tail_retention"] / look["tail_retention"]
    assert measured["tail_retention"].spread == pytest.approx(error * 40**0.5)
    fresh = CollapseMonitor(tiny_panel(documents=40), sampling=BRIEF)
    fresh.load_state_dict(json.loads(json.dumps(mine.state_dict())))
    assert not any(each.is_measured for each in fresh.sight)


def test_a_long_run_remembers_a_bounded_number_of_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "MOST_IN_HISTORY", 8)
    watch, model = monitor(rules=[], sampling=None), tiny_gpt2()
    watch.start(model)
    for step in range(1, 40):
        watch.look(model, step)
    steps = [look.step for look in watch.history]
    assert (steps[0], steps[-1]) == (0, 39)
    assert 4 <= len(steps) <= 8
    assert steps == sorted(set(steps))


def test_a_reader_of_training_rows_goes_on_and_begins_again_with_the_run() -> None:
    def watching() -> CollapseMonitor:
        return monitor(prequential=PrequentialReader(mix, tiny_reference()), sampling=None)

    mix, model = mixed(), tiny_gpt2()
    mine = watching()
    mine.start(model)
    assert mine.prequential is not None
    mine.prequential.watch(model, batch_size=BATCH)
    train(model, mix, batches=2, then=lambda step: None)
    read = mine.prequential.estimates()["perplexity_prequential"].value
    assert read > 1.0
    state = json.loads(json.dumps(mine.state_dict()))
    resumed = watching()
    resumed.load_state_dict(state)
    assert resumed.prequential is not None
    assert resumed.prequential.estimates()["perplexity_prequential"].value == pytest.approx(read)
    # Without one a monitor leaves what it has read alone.
    monitor(sampling=None).load_state_dict(state)
    mine.start(model)
    assert math.isnan(mine.prequential.estimates()["perplexity_prequential"].value)
