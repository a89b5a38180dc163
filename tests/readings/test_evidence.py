"""What a look has seen is there, and what it has not seen is named."""

import numpy as np
import pytest

from collapse_guard import CollapseGuardError
from collapse_guard.readings.evidence import Evidence
from collapse_guard.readings.panel_sums import BandSums, score_panel
from tests.looks import MODEL, take_baseline
from tests.tiny import tiny_gpt2, tiny_panel

PANEL = tiny_panel()


def at_a_part() -> Evidence:
    return Evidence(MODEL, PANEL, 4, BandSums(*np.zeros((3, len(PANEL)))), None)


def test_sums_of_documents_are_those_of_their_windows() -> None:
    per_window = np.arange(len(PANEL), dtype=np.float64)
    sums = at_a_part().by_document(per_window)
    owners = PANEL.document_ids.tolist()
    assert sums.tolist() == [
        sum(value for value, owner in zip(per_window, owners, strict=True) if owner == document)
        for document in range(PANEL.num_documents)
    ]


def test_a_part_has_no_scores_of_the_whole() -> None:
    with pytest.raises(CollapseGuardError, match='cost="whole panel"'):
        _ = at_a_part().whole
    scores = score_panel(tiny_gpt2(), PANEL)
    assert Evidence(MODEL, PANEL, 4, scores, None, scores=scores).whole is scores


def test_nothing_is_written_unasked() -> None:
    with pytest.raises(CollapseGuardError, match=r"sampling=Sampling\(\)"):
        _ = at_a_part().written


def test_a_start_that_kept_nothing_says_for_whom() -> None:
    scores = score_panel(tiny_gpt2(), PANEL)
    start = take_baseline(PANEL, scores)
    for seen in (at_a_part(), Evidence(MODEL, PANEL, 4, scores, start)):
        with pytest.raises(CollapseGuardError, match="kept nothing for reading mine"):
            seen.kept("mine")
