import math

from collapse_guard.audit.comparison.coverage import Coverage, Relative
from collapse_guard.audit.comparison.human_share import HumanShare
from collapse_guard.audit.comparison.telling_runs import TellingRun, TellingRuns
from collapse_guard.audit.comparison.text_audit_lines import (
    copies_line,
    coverage_line,
    ratio,
    runs_lines,
    share_line,
    size_line,
)
from collapse_guard.audit.comparison.text_sizes import Copies, TextSize


def test_each_says_what_was_found() -> None:
    half = Relative(0.5, 0.4, 0.6)
    one = Coverage("words", 2, 1.0, 900.0, 0.3, 0.15, half, half, half)
    assert coverage_line(one) == (
        "rare pairs of words: 0.50 (0.40 to 0.60) times as often as in human text; "
        "15.0% of them are there, of as much fresh human text 30.0%"
    )
    assert size_line("human", TextSize(10, 500, 0, 1.0, 90)).endswith("all compared, 90 words")
    assert "a sample of 2.50% compared" in size_line("human", TextSize(10, 500, 0, 0.025, 90))
    assert "as far as the sample" in copies_line(Copies(0, 0.1, 0.2, ()), is_sampled=True)
    assert "sample" not in copies_line(Copies(0, 0.1, 0.2, ()), is_sampled=False)
    run = TellingRun("delve into", 0.0, 812.0, "…")
    assert list(runs_lines(TellingRuns((), (run,)))) == [
        "overused (for each million words, and in human text): 'delve into' (812, 0)"
    ]
    assert share_line(HumanShare(0.9, 0.75, 0.6, 0.8)).startswith("human share: 75% (60% to 80%)")
    nothing = Relative(math.nan, math.nan, math.nan)
    none = Coverage("words", 1, *[math.nan] * 4, nothing, nothing, nothing)
    assert coverage_line(none) == "rare words: none in human text of this size"
    assert "cannot be told" in share_line(HumanShare(0.9, math.nan, math.nan, math.nan))
    assert ratio(nothing) == "not to be told"
    assert "none is needed" in share_line(HumanShare(0.9, 0, 0, 0))
