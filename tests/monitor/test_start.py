"""Starts are of one panel and of the same readings; what they wrote is `test_writing`'s."""

from dataclasses import replace

import numpy as np
import pytest

from collapse_guard import ArgumentError, CollapseGuardError, CollapseMonitor
from collapse_guard.monitor.start import comparable, is_same, without_written
from collapse_guard.readings.baseline import Baseline
from collapse_guard.readings.reading import Reading
from collapse_guard.readings.registry import READINGS
from tests.tiny import BRIEF, perturb, tiny_gpt2, tiny_panel

KINDS = tuple(READINGS[name] for name in ("tail_retention", "perplexity"))


def start_of(scale: float = 0.0) -> Baseline:
    monitor, model = (
        CollapseMonitor(tiny_panel(), readings=["perplexity"], rules=[], sampling=BRIEF),
        tiny_gpt2(),
    )
    perturb(model, scale)
    monitor.start(model)
    assert monitor.baseline is not None
    return monitor.baseline


def test_starts_of_one_model_are_the_same_after_a_checkpoint() -> None:
    start = start_of()
    assert is_same(start, Baseline.from_dict(start.to_dict()))
    assert not is_same(start, start_of(0.01))
    assert not is_same(start, None)
    assert not is_same(None, None)


def test_another_panel_and_readings_that_lack_are_named() -> None:
    start = start_of()
    assert comparable("start", start, tiny_panel(), KINDS[1:], None) == KINDS[1:]
    with pytest.raises(ArgumentError, match=rf"`start` .*but got 'one of panel {start.panel}'"):
        comparable("start", start, tiny_panel(documents=9), KINDS, None)
    told = replace(READINGS["effective_vocabulary"], name="mine")
    with pytest.raises(ArgumentError, match=r"`start` .* without mine"):
        comparable("start", start, tiny_panel(), [*KINDS[1:], told], None)


def test_something_must_be_left_to_read() -> None:
    written = READINGS["free_distinct_2"]
    assert without_written([written, *KINDS]) == list(KINDS)
    with pytest.raises(CollapseGuardError, match="readings="):
        without_written([written])


@pytest.mark.parametrize("band", ["tail_logprob", "head_logprob"])
def test_sums_of_other_windows_are_named(band: str) -> None:
    start, panel = start_of(), tiny_panel()
    cut = replace(start, **{band: getattr(start, band)[1:]})
    windows = len(panel)
    counts = rf"{windows - 1} and {windows}|{windows} and {windows - 1}"
    told = rf"`start` expected sums of each of the panel's {windows} windows, but got '({counts})'"
    with pytest.raises(ArgumentError, match=told):
        comparable("start", cut, panel, KINDS[1:], None)


def test_what_is_over_other_documents_is_named() -> None:
    start, panel = start_of(), tiny_panel()
    estimate = start.readings.estimate("perplexity")

    def over(documents: int) -> Baseline:
        each = estimate._replace(influences=np.zeros(documents))
        return replace(start, readings=Reading.of(0, {"perplexity": each}))

    # A start may say nothing of its documents.
    for documents in (0, panel.num_documents):
        assert comparable("start", over(documents), panel, KINDS[1:], None) == KINDS[1:]
    told = "what each of 12 documents contributes to perplexity, but got 'that of 5'"
    with pytest.raises(ArgumentError, match=told):
        comparable("start", over(5), panel, KINDS[1:], None)


def test_how_much_was_written_matters_where_something_of_it_is_read() -> None:
    start = replace(start_of(), sampling=BRIEF.compared)
    longer = replace(BRIEF, length=9, required=True)
    assert comparable("start", start, tiny_panel(), KINDS[1:], longer) == KINDS[1:]
    with pytest.raises(ArgumentError, match=r"give both monitors the same sampling="):
        comparable("start", start, tiny_panel(), [*KINDS[1:], READINGS["free_distinct_2"]], longer)
