"""Which documents rules go by, and which rules can never fire."""

import logging

import numpy as np
import pytest

from collapse_guard import (
    ArgumentError,
    CollapseMonitor,
    EveryNSteps,
    HeldOutPanel,
    HumanReference,
    PanelError,
    ReadingKind,
    Threshold,
    default_rules,
)
from collapse_guard.alerts.documents import blind, documents_of
from collapse_guard.readings.registry import READINGS
from collapse_guard.readings.strata import strata_readings
from tests.tiny import perturb, tiny_gpt2, tiny_panel

HEAD, TYPES, LENGTH = 10, 50, 64
KINDS = tuple(READINGS.values())


def reference() -> HumanReference:
    """Types below `HEAD` are common, and each other one has been seen once."""
    random = np.random.default_rng(0)
    common = random.integers(0, HEAD, 2000).tolist()
    return HumanReference.from_token_ids([[*common, *range(HEAD, TYPES)]], vocab_size=TYPES)


def panel_of(*, tails: int, documents: int = 40) -> HeldOutPanel:
    """A panel of which so many documents have tail tokens."""
    random = np.random.default_rng(1)
    texts = [random.integers(0, HEAD, LENGTH).tolist() for _ in range(documents)]
    for text in texts[:tails]:
        text[5:15] = random.integers(HEAD, TYPES, 10).tolist()
    return HeldOutPanel.from_token_ids(texts, reference(), window=32)


@pytest.mark.parametrize("tails", [1, 4, 7, 40])
def test_they_are_what_looks_go_by(tails: int) -> None:
    panel, model = panel_of(tails=tails), tiny_gpt2(vocab_size=TYPES)
    monitor = CollapseMonitor(panel, rules=[], sampling=None)
    monitor.start(model)
    perturb(model, 0.02)
    look = monitor.look(model, 1)
    told = {kind.name: documents_of(kind, panel) for kind in monitor.readings}
    assert {name for name, documents in told.items() if documents is None} == set()
    for name, documents in told.items():
        assert documents is not None
        assert documents.units == pytest.approx(look.units[name]), name
    tail, head, gap = (told[name] for name in ("tail_retention", "head_retention", "tail_gap"))
    assert tail is not None
    assert (tail.holding, tail.of, tail.tokens) == (tails, 40, "tail")
    assert head is not None
    assert (head.holding, head.tokens) == (40, "head")
    assert gap is not None
    assert gap.units == tail.units


def test_groups_count_as_one_document() -> None:
    random = np.random.default_rng(1)
    texts = [random.integers(0, TYPES, LENGTH).tolist() for _ in range(12)]
    panel = HeldOutPanel.from_token_ids(texts, reference(), window=32, groups=[*"aaabbbcccddd"])
    documents = documents_of(READINGS["tail_retention"], panel)
    assert documents is not None
    assert documents.holding == 4
    assert blind([Threshold("tail_retention", below=0.85)], KINDS, panel)


def test_what_is_not_of_the_panel_is_not_known() -> None:
    panel = tiny_panel()
    mine = ReadingKind("mine", "reading of mine", lambda evidence: 1.0)
    written, along = READINGS["free_distinct_2"], READINGS["tail_gap_prequential"]
    assert [documents_of(kind, panel) for kind in (mine, written, along)] == [None] * 3
    assert blind([Threshold("mine", below=0.5)], [mine], panel) == {}


def test_a_reading_that_cannot_be_looked_up_is_one_of_the_user_s() -> None:
    class Unhashable:
        __hash__ = None

        def __call__(self, evidence: object) -> float:
            return 1.0

    assert documents_of(ReadingKind("mine", "reading", Unhashable()), tiny_panel()) is None


@pytest.mark.parametrize("tails", [1, 2, 4])
def test_a_rule_of_the_user_s_that_can_never_fire_is_refused(tails: int) -> None:
    panel = panel_of(tails=tails)
    rule = Threshold("tail_retention", below=0.85)
    hint = rf"hold out {30 - tails} or more .*: {tails} of the panel's 40 .* could never fire"
    with pytest.raises(ArgumentError, match=rf"`rules`.*'{rule}'.*{hint}"):
        CollapseMonitor(panel, rules=[Threshold("head_retention", below=0.85), rule])
    beside = Threshold("head_retention", above=1.05, beside=rule)
    with pytest.raises(ArgumentError, match="rules about tokens that stand in 5"):
        CollapseMonitor(panel, rules=[beside])


def test_bare_values_and_five_documents_can_fire() -> None:
    bare = Threshold("tail_retention", below=0.85, alpha=None)
    gap = Threshold("head_retention", above=1.05, beside=bare)
    for tails, rules in ((1, [bare, gap]), (5, [Threshold("tail_retention", below=0.85)])):
        assert CollapseMonitor(panel_of(tails=tails), rules=rules).rules == tuple(rules)


@pytest.mark.parametrize("tails", range(3, 8))
def test_a_stratum_may_be_read_where_a_rule_on_it_can_fire(tails: int) -> None:
    panel = panel_of(tails=tails)
    may_be_read = True
    try:
        strata_readings(panel, ["all"] * 40)
    except PanelError:
        may_be_read = False
    assert may_be_read == (blind([Threshold("tail_retention", below=0.85)], KINDS, panel) == {})


def test_default_rules_that_can_never_fire_are_left_out_and_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING, "collapse_guard"):
        rules = CollapseMonitor(panel_of(tails=1), pace=EveryNSteps(1), sampling=None).rules
    assert [str(rule) for rule in rules] == ["head_retention below 0.85"]
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == len(default_rules()) - len(rules)
    assert all("left out" in each and "1 of the panel's 40" in each for each in told)
    assert any("tail_gap above 0.2" in each for each in told)


def test_nothing_is_told_where_all_rules_can_fire(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "collapse_guard"):
        monitor = CollapseMonitor(panel_of(tails=5), sampling=None)
    assert monitor.rules == default_rules()
    assert caplog.records == []
