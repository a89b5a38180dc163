"""A short form of `python -m tests.growth`."""

import pytest

from collapse_guard.callbacks.huggingface import records
from collapse_guard.monitor import run, track
from tests.growth import sizes


def test_nothing_grows_with_the_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "MOST_IN_HISTORY", 10)
    monkeypatch.setattr(track, "MOST_IN_STATE", 10)
    monkeypatch.setattr(records, "MOST_RECORDS", 40)
    monkeypatch.setattr(records, "_LOOKED_THROUGH_EVERY", 16)
    early, *_, late = sizes(800, marks=4)
    assert late.step == 800
    # The log of all looks would be four times as long, and what is remembered of them.
    assert late.history_kb < 1.5 * early.history_kb
    assert late.looks <= 10
    assert late.state_kb < 1.2 * early.state_kb
