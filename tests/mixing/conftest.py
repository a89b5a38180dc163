"""Rows that say where they come from, and a reference under which some of them are rare."""

import numpy as np
import pytest

from collapse_guard.reference import HumanReference

Row = dict[str, list[int]]


def make_rows(mark: int, count: int) -> list[Row]:
    """Rows of two tokens: the mark of their source, and their own number."""
    return [{"input_ids": [mark, number]} for number in range(count)]


@pytest.fixture(scope="session")
def zipf_reference() -> HumanReference:
    """100 types; type t occurs 1000 // (t + 1) times, so a larger id is a rarer type."""
    ids = np.repeat(np.arange(100), 1000 // np.arange(1, 101))
    return HumanReference.from_token_ids([ids], vocab_size=100)
