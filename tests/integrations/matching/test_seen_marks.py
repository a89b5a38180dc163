"""A warning, once, where training goes by without a mark."""

import logging

import pytest
import torch

from collapse_guard import mark_labels
from collapse_guard.integrations.matching.seen_marks import BATCHES, SeenMarks

PLAIN = torch.tensor([[-100, 3, 4]])
MARKED = mark_labels(PLAIN, 1)


def test_marks_are_seen() -> None:
    seen = SeenMarks()
    assert [seen.in_batch(labels) for labels in (PLAIN, MARKED, PLAIN)] == [False, True, False]


def test_training_without_marks_is_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    seen = SeenMarks()
    with caplog.at_level(logging.WARNING, logger="collapse_guard"):
        for _ in range(BATCHES - 1):
            seen.in_batch(PLAIN)
        assert not caplog.records
        for _ in range(2 * BATCHES):
            seen.in_batch(PLAIN)
    (record,) = caplog.records
    assert "no label said how its token was drawn" in record.getMessage()


def test_evaluation_does_not_count(caplog: pytest.LogCaptureFixture) -> None:
    seen = SeenMarks()
    with torch.no_grad():
        for _ in range(2 * BATCHES):
            seen.in_batch(PLAIN)
    assert not caplog.records


def test_one_mark_is_enough(caplog: pytest.LogCaptureFixture) -> None:
    seen = SeenMarks()
    for _ in range(BATCHES - 1):
        seen.in_batch(PLAIN)
    seen.in_batch(MARKED)
    for _ in range(2 * BATCHES):
        seen.in_batch(PLAIN)
    assert not caplog.records
