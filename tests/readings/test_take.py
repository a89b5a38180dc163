"""Readings of others are taken with care: their numbers settled, their failures named."""

import math

import numpy as np
import pytest

from collapse_guard import CollapseGuardError, ReadingKind, ScoringError
from collapse_guard.readings.evidence import Evidence
from collapse_guard.readings.panel_sums import score_panel
from collapse_guard.readings.take import baseline_of, kept_of_start, settled_readings
from collapse_guard.statistics.estimates import Estimate
from tests.looks import MODEL
from tests.tiny import tiny_gpt2, tiny_panel

PANEL = tiny_panel()
SCORES = score_panel(tiny_gpt2(), PANEL)
EVIDENCE = Evidence(MODEL, PANEL, 4, SCORES, None, scores=SCORES)


def kind(take, **arguments) -> ReadingKind:
    return ReadingKind("mine", "of mine", take, **arguments)


def test_a_number_has_no_error_and_an_estimate_keeps_its_own() -> None:
    (plain,) = settled_readings([kind(lambda evidence: np.float32(0.5))], EVIDENCE).values()
    assert (plain.value, type(plain.value)) == (0.5, float)
    assert math.isnan(plain.standard_error)
    known = Estimate(2.0, 0.25, np.arange(3.0), 3.0)
    (told,) = settled_readings([kind(lambda evidence: known)], EVIDENCE).values()
    assert (told.value, told.standard_error, told.units) == (2.0, 0.25, 3.0)
    assert told.influences.tolist() == [0.0, 1.0, 2.0]


@pytest.mark.parametrize("returned", ["a word", None, True, [0.5]])
def test_what_is_no_number_is_refused(returned: object) -> None:
    with pytest.raises(CollapseGuardError, match=r"reading mine returned .* of type"):
        settled_readings([kind(lambda evidence: returned)], EVIDENCE)


def test_a_failure_is_blamed_on_its_reading_unless_it_says_more() -> None:
    def breaks(evidence: Evidence) -> float:
        raise KeyError("gone")

    def says(evidence: Evidence) -> float:
        raise ScoringError("the model returned no logits")

    with pytest.raises(CollapseGuardError, match="reading mine failed: KeyError") as caught:
        settled_readings([kind(breaks)], EVIDENCE)
    assert isinstance(caught.value.__cause__, KeyError)
    with pytest.raises(ScoringError, match="no logits"):
        settled_readings([kind(says)], EVIDENCE)
    with pytest.raises(CollapseGuardError, match="reading mine failed"):
        kept_of_start([kind(says, keep_start=breaks)], EVIDENCE)


def test_what_is_kept_is_by_name_and_of_those_that_keep() -> None:
    keeping = kind(lambda evidence: 0.0, keep_start=lambda evidence: evidence.step)
    other = ReadingKind("other", "of another", lambda evidence: 0.0)
    assert kept_of_start([other, keeping], EVIDENCE) == {"mine": 4}
    assert kept_of_start([other], EVIDENCE) == {}


def test_a_baseline_holds_what_each_window_gave() -> None:
    start = baseline_of(PANEL, SCORES)
    assert start.panel == PANEL.fingerprint
    assert list(start.tail_logprob) == SCORES.tail_logprob.tolist()
    assert list(start.head_logprob) == SCORES.head_logprob.tolist()
