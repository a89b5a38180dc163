"""Arguments of a monitor are refused where they cannot work."""

import pytest

from collapse_guard import (
    ArgumentError,
    CollapseMonitor,
    EveryNSteps,
    Threshold,
)
from tests.extending.test_self_scoring_panel import rows_with_a_tail
from tests.tiny import tiny_panel


@pytest.mark.parametrize("pace", [0.01, 50, None, EveryNSteps])
def test_what_is_no_pace_is_refused(pace: object) -> None:
    with pytest.raises(ArgumentError, match=r"`pace` expected a pace"):
        CollapseMonitor(tiny_panel(), pace=pace)


def test_rules_on_what_is_not_read_are_refused() -> None:
    for name in (
        "free_distinct_2",
        "tail_gap_vs_base",
        "tail_gap_vs_control",
        "tail_gap_prequential",
    ):
        with pytest.raises(ArgumentError, match="`rules` expected rules on what is read here"):
            CollapseMonitor(tiny_panel(), sampling=None, rules=[Threshold(name, below=1.0)])
    twice = [Threshold("perplexity", above=9.0), Threshold("perplexity", above=9.0, patience=2)]
    with pytest.raises(ArgumentError, match="rules that differ"):
        CollapseMonitor(tiny_panel(), rules=twice)


def test_rules_that_can_never_fire_are_refused_where_they_are_given_and_left_out_where_not() -> (
    None
):
    panel = tiny_panel(documents=4)
    with pytest.raises(ArgumentError, match="`rules` expected rules about tokens that stand in 5"):
        CollapseMonitor(panel, rules=[Threshold("tail_retention", below=0.85)])
    assert CollapseMonitor(panel, sampling=None).rules == ()
    bare = Threshold("tail_retention", below=0.85, alpha=None)
    assert CollapseMonitor(panel, rules=[bare]).rules == (bare,)


def test_rules_on_types_are_refused_where_the_panel_scores_itself() -> None:
    panel = rows_with_a_tail()
    for name in ("predictive_entropy", "free_distinct_2"):
        with pytest.raises(
            ArgumentError, match=r"`rules` expected .* since the panel scores itself"
        ):
            CollapseMonitor(panel, rules=[Threshold(name, below=1.0)])
    rule = Threshold("perplexity", above=9.0)
    assert CollapseMonitor(panel, rules=[rule]).rules == (rule,)
