"""Arguments of a monitor are refused where they cannot work."""

import pytest

from collapse_guard import (
    ArgumentError,
    CollapseMonitor,
    EveryNSteps,
    Threshold,
)
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
            CollapseMonitor(tiny_panel(), rules=[Threshold(name, below=1.0)])
    twice = [Threshold("perplexity", above=9.0), Threshold("perplexity", above=9.0, patience=2)]
    with pytest.raises(ArgumentError, match="rules that differ"):
        CollapseMonitor(tiny_panel(), rules=twice)
