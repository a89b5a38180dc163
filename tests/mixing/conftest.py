"""Rows that say where they come from, and a reference under which some of them are rare."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from torch.utils.data import DataLoader

from collapse_guard.human_text.reference import HumanReference

Row = dict[str, list[int]]


class Count:
    """Rows that take no memory: each is its own number."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, row: int) -> int:
        return row


def make_rows(mark: int, count: int) -> list[Row]:
    """Rows of two tokens: the mark of their source, and their own number."""
    return [{"input_ids": [mark, number]} for number in range(count)]


@contextmanager
def batches_of(loader: DataLoader[Any]) -> Iterator[Iterator[Any]]:
    """The loader's batches; torch waits five seconds for each worker unless told to stop here."""
    batches = iter(loader)
    yield batches
    if loader.num_workers:
        batches._shutdown_workers()  # type: ignore[attr-defined]


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch waits five seconds for each worker of a loader that is left by an error."""
    monkeypatch.setattr("torch.utils.data._utils.MP_STATUS_CHECK_INTERVAL", 0.1)


@pytest.fixture(scope="session")
def zipf_reference() -> HumanReference:
    """100 types; type t occurs 1000 // (t + 1) times, so a larger id is a rarer type."""
    ids = np.repeat(np.arange(100), 1000 // np.arange(1, 101))
    return HumanReference.from_token_ids([ids], vocab_size=100)


@pytest.fixture
def few_slots_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that short streams are read in many goes, as long ones are."""
    monkeypatch.setattr("collapse_guard.mixing.streaming.dealt_reader.SLOTS_AT_A_TIME", 8)
