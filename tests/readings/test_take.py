"""Readings of others are taken with care: their numbers settled, their failures named."""

import math

import numpy as np
import pytest

from collapse_guard import CollapseGuardError, ReadingKind
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


def test_a_failure_keeps_its_kind_and_names_its_reading() -> None:
    def breaks(evidence: Evidence) -> float:
        raise KeyError("gone")

    for fails in (
        lambda: settled_readings([kind(breaks)], EVIDENCE),
        lambda: kept_of_start([kind(lambda evidence: 0.0, keep_start=breaks)], EVIDENCE),
    ):
        with pytest.raises(KeyError) as caught:
            fails()
        assert caught.value.__notes__ == ["It was raised while reading mine was taken."]


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
