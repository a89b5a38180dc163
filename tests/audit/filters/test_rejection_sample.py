import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from collapse_guard import ArgumentError
from collapse_guard.audit import rejection_by_rarity
from collapse_guard.audit.filters.rejection_sample import RejectionSample

ROWS = 5_000
CHANCE = np.random.default_rng(0)
KEYS = CHANCE.integers(0, 2**64, ROWS, dtype=np.uint64)
WEIGHTS, RARITY = CHANCE.random(ROWS), CHANCE.normal(8, 2, ROWS)


def sample_of(rows: Any, room: int = 1_000) -> RejectionSample:
    sample = RejectionSample(room)
    sample.extend(KEYS[rows], WEIGHTS[rows], RARITY[rows])
    return sample


@given(cuts=st.lists(st.integers(0, ROWS), max_size=5), seed=st.integers(0, 99))
def test_parts_in_any_order_say_what_the_whole_says(cuts: list[int], seed: int) -> None:
    parts = np.split(np.random.default_rng(seed).permutation(ROWS), sorted(cuts))
    merged = RejectionSample(1_000)
    for part in parts:
        merged.take_in(sample_of(part))
    assert merged.report().to_dict() == sample_of(np.arange(ROWS)).report().to_dict()


def test_what_fits_is_all_of_it() -> None:
    report = sample_of(np.arange(ROWS), 10_000).report(num_strata=4)
    whole = rejection_by_rarity(WEIGHTS, RARITY, num_strata=4)
    assert report.rows == whole.rows == ROWS
    assert report.rate == pytest.approx(whole.rate, rel=1e-12)


def test_a_content_counts_once() -> None:
    assert len(sample_of(np.array([3, 3, 4]))) == 2


def test_a_sample_is_bounded_and_fair() -> None:
    sample = sample_of(np.arange(ROWS))
    assert len(sample) == 1_000
    assert sample.report().rate == pytest.approx((1 - WEIGHTS).mean(), abs=4 * 0.29 / 1_000**0.5)


def test_many_small_parts_are_settled_in_between() -> None:
    sample = RejectionSample(1_000)
    for _ in range(30):
        sample.extend(KEYS, WEIGHTS, RARITY)
    assert sample.report().to_dict() == sample_of(np.arange(ROWS)).report().to_dict()


def test_a_state_goes_through_a_file() -> None:
    sample = sample_of(np.arange(ROWS))
    state = json.loads(json.dumps(sample.state_dict()))
    assert RejectionSample.of_state(state).state_dict() == state


@pytest.mark.parametrize(
    "change",
    [
        {"keys": [2, 1]},
        {"keys": [1, 1]},
        {"keys": [1, 2**64]},
        {"weights": [0.5, 1.5]},
        {"rarity": [float("nan"), 1.0]},
        {"rarity": [1.0]},
        {"rows": 3},
    ],
)
def test_a_state_that_cannot_be_is_refused(change: dict[str, Any]) -> None:
    state = {"rows": 1_000, "keys": [1, 2], "weights": [0.5, 1.0], "rarity": [3.0, 4.0]}
    RejectionSample.of_state(state)
    with pytest.raises(ArgumentError):
        RejectionSample.of_state({**state, **change})


@pytest.mark.parametrize(
    ("keys", "weights", "rarity"),
    [
        (KEYS[:2], WEIGHTS[:3], RARITY[:2]),
        (KEYS[:2].tolist(), WEIGHTS[:2], RARITY[:2]),
        (KEYS[:2].astype(np.int64), WEIGHTS[:2], RARITY[:2]),
        (KEYS[:2], np.array([0.5, 2.0]), RARITY[:2]),
        (KEYS[:2], np.array([0.5, np.nan]), RARITY[:2]),
    ],
)
def test_rows_that_cannot_be_are_refused(keys: Any, weights: Any, rarity: Any) -> None:
    with pytest.raises(ArgumentError):
        RejectionSample().extend(keys, weights, rarity)


def test_other_rooms_do_not_merge() -> None:
    with pytest.raises(ArgumentError, match="a sample of 1000 rows"):
        RejectionSample(1_000).take_in(RejectionSample(2_000))


def test_of_a_content_that_parts_weigh_otherwise_order_keeps_the_same() -> None:
    samples = []
    for weights in ([0.2, 0.9], [0.9, 0.2]):
        sample = RejectionSample()
        for weight in weights:
            part = RejectionSample()
            part.extend(np.array([7], np.uint64), np.array([weight]), np.array([3.0]))
            sample.take_in(part)
        samples.append(sample.state_dict())
    assert samples[0] == samples[1]
