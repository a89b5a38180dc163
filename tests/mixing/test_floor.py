import math
from decimal import Decimal
from fractions import Fraction
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, strategies as st
from scipy import optimize

from collapse_guard.errors import ArgumentError
from collapse_guard.mixing.floor import (
    Segment,
    Stages,
    eras_of,
    floor_segments,
    golden_fraction,
    human_stages,
)
from collapse_guard.mixing.order.slots import Leg, Slots
from tests.mixing import naive

fractions = st.fractions(0, 1, max_denominator=1000) | st.floats(0, 1).map(
    lambda f: Fraction(str(f))
)


@st.composite
def stage_lists(draw: st.DrawFn) -> Stages:
    inner = draw(st.lists(st.fractions(0, 1, max_denominator=40), max_size=5))
    ends = [*sorted({end for end in inner if 0 < end < 1}), Fraction(1)]
    return tuple((end, draw(fractions)) for end in ends)


def human_of(segments: list[Segment], block_size: int) -> npt.NDArray[np.bool_]:
    """Which slots of a stream of these segments are human: source 0."""
    legs = [
        Leg(
            blocks=segment.blocks,
            periods=1,
            human_per_block=segment.human_per_block,
            floor=(segment.blocks * segment.human_per_block, 0),
            rest=(0, segment.blocks * (block_size - segment.human_per_block)),
            floor_reserved=(0, 0),
            rest_reserved=(0, 0),
        )
        for segment in segments
    ]
    slots = sum(segment.blocks for segment in segments) * block_size
    human: npt.NDArray[np.bool_] = Slots(legs, block_size).assign(np.arange(slots))[0] == 0
    return human


@given(stages=stage_lists(), block_size=st.integers(1, 30), blocks=st.integers(1, 20))
def test_every_window_holds_the_sum_of_its_slots_own_floors_rounded_down(
    stages: Stages, block_size: int, blocks: int
) -> None:
    segments = floor_segments(stages, blocks=blocks, block_size=block_size)
    human = human_of(segments, block_size)
    slots = blocks * block_size
    assert len(human) == slots
    floors = [next(f for until, f in stages if slot < until * slots) for slot in range(slots)]
    due = [Fraction(0)]
    for floor in floors:
        due.append(due[-1] + floor)
    before = np.concatenate([[0], np.cumsum(human)])
    for start in range(0, slots, max(1, slots // 6)):
        for stop in range(start + 1, slots + 1):
            held = before[stop] - before[start]
            assert held >= math.floor(due[stop] - due[start])
            assert held >= math.floor((stop - start) * min(floors[start:stop]))
    for block in range(blocks):
        inside = slice(block * block_size, (block + 1) * block_size)
        assert human[inside].sum() >= math.ceil(max(floors[inside]) * block_size)


@given(fraction=fractions, block_size=st.integers(1, 300), blocks=st.integers(2, 5))
def test_one_floor_holds_in_windows_and_in_batches_wherever_they_start(
    fraction: Fraction, block_size: int, blocks: int
) -> None:
    segments = floor_segments(human_stages(fraction), blocks=blocks, block_size=block_size)
    per_block = math.ceil(fraction * block_size)
    assert segments == [Segment(blocks, per_block)]
    human = human_of(segments, block_size)
    before = np.concatenate([[0], np.cumsum(human)])
    for n in range(len(human) + 1):
        in_window = before[n:] - before[: len(before) - n]
        assert in_window.min() >= math.floor(n * fraction)
        assert in_window.max() <= math.ceil(Fraction(n * per_block, block_size))
        if n % block_size == 0:
            assert in_window.min() >= math.ceil(fraction * n)


@given(fraction=fractions, block_size=st.integers(1, 100))
def test_slots_agree_with_a_running_account(fraction: Fraction, block_size: int) -> None:
    segments = floor_segments(human_stages(fraction), blocks=3, block_size=block_size)
    counted = list(islice(naive.human_slots(fraction, block_size), 3 * block_size))
    assert human_of(segments, block_size).tolist() == counted


@pytest.mark.parametrize(
    ("fraction", "block_size", "per_block"),
    [
        (0.3, 10, 3),  # the float 0.3 is below 3/10
        (0.1, 10, 1),  # the float 0.1 is above 1/10: its ceiling would be 2
        (0.1, 30, 3),
        (0.7, 10, 7),
        (1e-05, 8, 1),
        (np.float32(0.3), 10, 3),
        (np.float64(0.07), 100, 7),
        (Decimal("0.3"), 10, 3),
        (Fraction(1, 3), 9, 3),
        (0.33, 9, 3),
        (0, 8, 0),
        (0.0, 8, 0),
        (1, 8, 8),
        (1.0, 1, 1),
        (0.01, 1, 1),
    ],
)
def test_fractions_are_read_as_they_are_written(
    fraction: float, block_size: int, per_block: int
) -> None:
    segments = floor_segments(human_stages(fraction), blocks=4, block_size=block_size)
    assert segments == [Segment(4, per_block)]


@pytest.mark.parametrize(
    "fraction",
    [-0.1, 1.1, math.nan, math.inf, "0.3", None, True, Decimal("NaN"), 1 + 0j, Fraction(4, 3)],
)
def test_anything_but_a_share_is_refused(fraction: object) -> None:
    with pytest.raises(ArgumentError, match="`human_fraction` expected a number from 0 to 1"):
        human_stages(fraction)


@pytest.mark.parametrize(
    "stages",
    [
        [],
        [0.2, 0.3],
        [(0.2, 1.0)],
        [(0.5, 1.0), (0.5, 0.3), (1.0, 0.1)],
        [(0.7, 1.0), (0.5, 0.3), (1.0, 0.1)],
        [(0.0, 1.0), (1.0, 0.3)],
        [(1.0, 0.3, 0.2)],
    ],
)
def test_stages_that_do_not_cover_the_run_in_order_are_refused(stages: Any) -> None:
    with pytest.raises(ArgumentError, match=r"`human_fraction` expected (a share, or|stages)"):
        human_stages(stages)


def test_a_stage_s_own_values_are_checked() -> None:
    with pytest.raises(ArgumentError, match="`human_fraction` expected a number from 0 to 1"):
        human_stages([(0.2, 1.5), (1.0, 0.3)])
    with pytest.raises(ArgumentError, match="`human_fraction` expected a number from 0 to 1"):
        human_stages(lambda progress: 1 + progress)


@pytest.mark.parametrize(
    "floor",
    [
        lambda progress: 1 - progress,
        lambda progress: 0.2 + 0.6 * progress**3,
        lambda progress: 1.0 if progress < 0.2 else 0.3,
        lambda progress: Fraction(1, 3) if progress >= 0.4567 else 0,
    ],
)
@pytest.mark.parametrize("blocks", [7, 1000, 12_345])
def test_a_function_that_only_rises_or_falls_is_never_undercut(floor: Any, blocks: int) -> None:
    segments = floor_segments(human_stages(floor), blocks=blocks, block_size=20)
    per_block = np.repeat(
        [segment.human_per_block for segment in segments],
        [segment.blocks for segment in segments],
    )
    ends = [[float(floor(min(b + d, blocks) / blocks)) for d in (0, 1)] for b in range(blocks)]
    assert (per_block / 20 >= np.min(ends, axis=1) - 1e-9).all()
    if blocks >= 1000:
        # ... nor much exceeded: by the change over three parts of the run, and rounding up.
        near = [
            max(float(floor(min(max(p, 0), 1))) for p in (b / blocks - 0.003, b / blocks + 0.003))
            for b in range(blocks)
        ]
        assert (per_block / 20 <= np.array(near) + 0.05).all()


def test_refreshes_that_come_again_are_found() -> None:
    stages = human_stages(lambda progress: 1.0 if progress * 10 % 1 < 0.1 else 0.2)
    segments = floor_segments(stages, blocks=5000, block_size=10)
    # Ten, and the last part of the run, at whose end another would begin.
    assert sum(segment.human_per_block == 10 for segment in segments) == 11
    all_human = sum(s.blocks for s in segments if s.human_per_block == 10)
    assert 500 <= all_human <= 600


def test_a_border_within_a_block_gives_it_the_larger_floor() -> None:
    falling = floor_segments(human_stages([(0.5, 1.0), (1.0, 0.25)]), blocks=3, block_size=4)
    rising = floor_segments(human_stages([(0.5, 0.25), (1.0, 1.0)]), blocks=3, block_size=4)
    assert falling == [Segment(2, 4), Segment(1, 1)]
    assert rising == [Segment(1, 1), Segment(2, 4)]


@given(
    lengths=st.lists(st.integers(1, 60), min_size=1, max_size=8),
    blocks_per_epoch=st.integers(1, 40),
)
def test_eras_are_the_same_blocks_and_few(lengths: list[int], blocks_per_epoch: int) -> None:
    lengths.append(-sum(lengths) % blocks_per_epoch or blocks_per_epoch)
    segments = [Segment(blocks, number) for number, blocks in enumerate(lengths)]
    eras = eras_of(segments, blocks_per_epoch=blocks_per_epoch)
    assert len(eras) <= 2 * len(segments)
    human = []
    for era in eras:
        assert sum(segment.blocks for segment in era.segments) == blocks_per_epoch
        for _ in range(era.epochs):
            for segment in era.segments:
                human += [segment.human_per_block] * segment.blocks
    assert human == [s.human_per_block for s in segments for _ in range(s.blocks)]


def settled_variance(weight: float, num_human: int, num_synthetic: int) -> float:
    """Of a chain of means, each of fresh human samples and its predecessor's, run to its end."""
    variance = 0.0
    for _ in range(20_000):
        before = variance
        synthetic = variance + 1 / num_synthetic
        variance = weight**2 / num_human + (1 - weight) ** 2 * synthetic
        if abs(variance - before) < 1e-16:
            break
    return variance


@pytest.mark.parametrize(
    ("num_human", "num_synthetic"), [(100, 100), (100, 1000), (1000, 100), (30, 70)]
)
def test_it_is_where_a_chain_of_models_has_the_least_variance(
    num_human: int, num_synthetic: int
) -> None:
    best = optimize.minimize_scalar(
        settled_variance,
        bounds=(0.01, 1),
        args=(num_human, num_synthetic),
        method="bounded",
        options={"xatol": 1e-7},
    )
    assert float(golden_fraction(num_human, num_synthetic)) == pytest.approx(best.x, abs=1e-4)


def test_as_many_synthetic_rows_as_human_ones_give_the_golden_ratio() -> None:
    golden_ratio = (1 + math.sqrt(5)) / 2
    assert float(golden_fraction(7, 7)) == pytest.approx(1 / golden_ratio, abs=1e-11)


@pytest.mark.parametrize("k", [1e-9, 1e-3, 0.5, 2, 1e3, 1e9])
def test_it_is_the_formula_where_that_loses_no_digits(k: float) -> None:
    num_human, num_synthetic = (round(k * 10**9), 10**9) if k < 1 else (round(k), 1)
    k_exact = np.longdouble(num_human) / np.longdouble(num_synthetic)
    expected = (np.sqrt(k_exact * k_exact + 4 * k_exact) - k_exact) / 2
    weight = golden_fraction(num_human, num_synthetic)
    assert float(weight) == pytest.approx(float(expected), abs=1e-9)
    assert num_human / (num_human + num_synthetic) - 1e-12 <= weight <= 1


def test_a_function_that_fails_is_named() -> None:
    with pytest.raises(ArgumentError, match="argument `human_fraction` expected a function of"):
        human_stages(lambda progress: 1 / 0)
