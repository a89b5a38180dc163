import logging
import math
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given, strategies as st

from collapse_guard.errors import ArgumentError
from collapse_guard.mixing import MixGuard, RareBoost, Source
from collapse_guard.mixing.strata.boosted import boosted, check_boosted
from collapse_guard.mixing.strata.strata import Strata
from tests.mixing.conftest import Count

Rarity = npt.NDArray[np.float32]


def guard_of(rarity: Any, times: float = 3.0, **settings: Any) -> MixGuard:
    arguments: dict[str, Any] = {"human_fraction": 0.5, "block_size": 2, "max_repeats": 50}
    human = Count(len(rarity))
    boost = RareBoost(times, by=rarity)
    return MixGuard(human, Count(len(rarity)), boost=boost, **arguments | settings)


def times_shown(guard: MixGuard, rows: int) -> npt.NDArray[np.int64]:
    located = guard.locate(range(len(guard)))
    return np.bincount(located.row[located.is_human], minlength=rows)


@pytest.mark.parametrize("rare", [1, 9, 11, 50, 89, 91, 99])
@pytest.mark.parametrize("times", [1.5, 3.0, 10.0])
def test_two_labels_keep_the_ratio_whatever_their_shares_are(rare: int, times: float) -> None:
    rarity = np.repeat([0.0, 1.0], [1000 - 10 * rare, 10 * rare])
    guard = guard_of(rarity, times, length=20_000, max_repeats=100)
    shown = times_shown(guard, 1000)
    ratio = shown[rarity == 1].mean() / shown[rarity == 0].mean()
    assert ratio == pytest.approx(times, rel=0.02)
    told = guard.report().source("human").boost
    assert told is not None
    assert (told.asked, told.shown) == (times, pytest.approx(ratio))
    plain = guard.report().to_dict()["sources"][0]["boost"]
    assert plain == {"asked": told.asked, "shown": told.shown}


@st.composite
def tied_rarities(draw: st.DrawFn) -> Rarity:
    """Two or three values of any share, a mass of ties among others, all distinct, all equal."""
    size = draw(st.integers(2, 300))
    pattern = draw(st.sampled_from(["two", "three", "mass", "distinct", "equal"]))
    numbers = np.arange(size, dtype=np.float32)
    if pattern == "distinct":
        rarity = numbers
    elif pattern == "equal":
        rarity = np.zeros(size, dtype=np.float32)
    elif pattern == "mass":
        start = draw(st.integers(0, size - 1))
        stop = draw(st.integers(start, size))
        rarity = np.where((numbers >= start) & (numbers < stop), np.float32(start), numbers)
    else:
        cuts = [draw(st.integers(1, size - 1)) for _ in range(1 if pattern == "two" else 2)]
        rarity = sum((numbers >= cut for cut in cuts), np.zeros(size)).astype(np.float32)
    return np.random.default_rng(draw(st.integers(0, 9))).permutation(rarity)


def expected_draws(
    sizes: list[int], weights: list[float], draws: int, cap: int
) -> npt.NDArray[np.float64]:
    """The level at which capped exposures make up the draws, by bisection."""
    low, high = 0.0, float(cap)
    size, weight = np.array(sizes), np.array(weights)
    for _ in range(100):
        level = (low + high) / 2
        reached = (size * np.minimum(cap, level * weight)).sum()
        low, high = (level, high) if reached < draws else (low, level)
    return np.array(size * np.minimum(cap, high * weight))


@given(
    rarity=tied_rarities(),
    times=st.floats(1.25, 20),
    cap=st.integers(1, 12),
    share=st.floats(0.01, 1),
)
@example(rarity=np.repeat(np.float32([0, 1]), [91, 9]), times=3.0, cap=4, share=0.2)
@example(rarity=np.float32([0] * 95 + [1, 2, 3, 4, 5] * 3), times=3.0, cap=4, share=0.2)
def test_the_boost_is_what_is_shown_within_the_cap_or_an_error_says_why(
    rarity: Rarity, times: float, cap: int, share: float
) -> None:
    rows = len(rarity)
    draws = max(1, math.floor(rows * cap * share))
    settings = {"length": 2 * draws, "max_repeats": cap}
    if len(np.unique(rarity)) == 1:
        with pytest.raises(ArgumentError, match="`by` expected a rarity that tells some human"):
            guard_of(rarity, times, **settings)
        return
    if draws == rows * cap:
        with pytest.raises(ArgumentError, match="`max_repeats` expected at least"):
            guard_of(rarity, times, **settings)
        return
    guard = guard_of(rarity, times, **settings)
    shown = times_shown(guard, rows)
    strata = guard.report().source("human").strata
    members = [
        (rarity >= s.rarity[0]) & (rarity <= s.rarity[1]) for s in strata if s.rarity is not None
    ]
    # Every row is in one stratum, and rows of equal rarity are in the same.
    assert np.sum(members, axis=0).tolist() == [1] * rows
    assert len(members) >= 2
    if len(np.unique(rarity)) <= 10:
        assert len(members) == len(np.unique(rarity))
    counts = np.array([shown[own].sum() for own in members])
    sizes = [int(own.sum()) for own in members]
    weights = np.linspace(1, times, len(members)).tolist()
    assert np.abs(counts - expected_draws(sizes, weights, draws, cap)).max() < 1 + 1e-6
    for own in members:
        assert np.ptp(shown[own]) <= 1
    assert shown.max() <= cap
    told = guard.report().source("human").boost
    assert told is not None
    assert told.asked == pytest.approx(times)
    if counts[0]:
        means = counts / sizes
        assert told.shown == pytest.approx(means[-1] / means[0])


def test_a_mass_of_ties_does_not_take_the_other_values_along() -> None:
    rarity = np.concatenate([np.zeros(950), np.arange(1, 51)])
    strata = guard_of(rarity, length=4000).report().source("human").strata
    assert [s.rows for s in strata] == [950, 5, 5, 5, 5, 6, 6, 6, 6, 6]


def test_sources_of_one_rarity_each_cannot_be_boosted() -> None:
    human = [Source(Count(90), "common", "human"), Source(Count(10), "rare", "human")]
    rarity = np.repeat([0.0, 1.0], [90, 10])
    with pytest.raises(ArgumentError, match=r"in each of common, rare.: give all human rows as"):
        MixGuard(
            human,
            Count(100),
            human_fraction=0.5,
            block_size=2,
            max_repeats=9,
            boost=RareBoost(3.0, by=rarity),
        )


def test_a_source_of_one_rarity_beside_one_of_two_is_left_as_it_is() -> None:
    human = [Source(Count(100), "both", "human"), Source(Count(50), "rare", "human")]
    rarity = np.repeat([0.0, 1.0, 1.0], [80, 20, 50])
    guard = MixGuard(
        human,
        Count(100),
        human_fraction=0.5,
        block_size=2,
        length=800,
        max_repeats=20,
        boost=RareBoost(3.0, by=rarity),
    )
    both, rare, synthetic = guard.report().sources
    assert both.boost is not None
    assert both.boost.shown == pytest.approx(3.0, rel=0.05)
    assert (rare.boost, synthetic.boost) == (None, None)


def test_a_cap_that_leaves_less_is_told_in_the_log_and_in_the_report(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rarity = np.repeat([0.0, 1.0], [90, 10])
    with caplog.at_level(logging.WARNING, logger="collapse_guard"):
        guard = guard_of(rarity, 3.0, length=400, max_repeats=4)
        # 200 draws: 1.67 for a common row, 5 for a rare one.
        assert "in human: no row is shown more than max_repeats=4 times" in caplog.text
        assert "(the rarest rows shown 2.25 times as often as the commonest, 3.00" in caplog.text
        assert "Give at least 5, or a shorter epoch" in caplog.text
        caplog.clear()
        guard_of(rarity, 3.0, length=400, max_repeats=5)
        assert not caplog.text
    assert times_shown(guard, 100)[90:].tolist() == [4] * 10
    told = guard.report().source("human").boost
    assert str(told) == (
        "the rarest rows shown 2.25 times as often as the commonest, 3.00 asked for"
    )


def test_the_cap_that_an_error_asks_for_is_the_least_that_does() -> None:
    rarity = np.repeat([0.0, 1.0], [90, 10])
    with pytest.raises(ArgumentError, match="`max_repeats` expected at least 10") as refused:
        guard_of(rarity, 3.0, length=800, max_repeats=4)
    assert "or leave out the boost" in str(refused.value)
    told = guard_of(rarity, 3.0, length=800, max_repeats=10).report().source("human").boost
    assert told is not None
    assert told.shown == pytest.approx(3.0, rel=0.02)


@pytest.mark.parametrize("times", [1, 1.0])
def test_a_boost_of_one_asks_for_nothing(times: float) -> None:
    guard = guard_of(np.zeros(10), times, length=20)
    assert guard.report().source("human").boost is None


def test_quality_that_hides_all_rows_but_one_rarity_leaves_nothing_to_boost() -> None:
    human = Source(Count(10), "wiki", "human", quality=[1.0] * 8 + [0.0] * 2)
    boost = RareBoost(3.0, by=[0.0] * 8 + [1.0] * 2)
    with pytest.raises(ArgumentError, match="`boost` expected a human source with rows of diff"):
        MixGuard(human, Count(10), human_fraction=0.5, block_size=2, boost=boost)


def test_quality_counts_in_what_is_asked_for() -> None:
    human = Source(Count(100), "wiki", "human", quality=[1.0] * 50 + [0.5] * 50)
    boost = RareBoost(3.0, by=np.repeat([0.0, 1.0], 50))
    guard = MixGuard(
        human, Count(100), human_fraction=0.5, block_size=2, boost=boost, length=4000,
        max_repeats=99,
    )  # fmt: skip
    told = guard.report().source("wiki").boost
    assert told is not None
    assert (told.asked, told.shown) == (1.5, pytest.approx(1.5, rel=0.01))


def test_without_human_draws_there_is_nothing_to_check() -> None:
    check_boosted([])
    strata = Strata(np.array([2, 2]), weights=(Fraction(1), Fraction(3)), boosts=(Fraction(1),) * 2)
    assert boosted(strata, [1, 3]) is None


def test_nothing_is_told_of_the_ratio_before_a_common_row_is_shown() -> None:
    told = guard_of(np.repeat([0.0, 1.0], [90, 10]), length=400).report(0).source("human").boost
    assert told is not None
    assert told.shown is None
    assert str(told).startswith("the commonest rows not shown at all")


def test_quality_weights_with_ties_keep_their_ratio() -> None:
    for better in (1, 5, 50, 95):
        quality = np.repeat([0.5, 1.0], [1000 - 10 * better, 10 * better])
        source = Source(Count(1000), "model", "synthetic", quality=quality)
        guard = MixGuard(
            Count(1000), source, human_fraction=0.5, block_size=2, length=20_000, max_repeats=50
        )
        located = guard.locate(range(len(guard)))
        shown = np.bincount(located.row[~located.is_human], minlength=1000)
        ratio = shown[quality == 1].mean() / shown[quality == 0.5].mean()
        assert ratio == pytest.approx(2.0, rel=0.02)


def test_a_cap_that_leaves_less_of_quality_is_told_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    quality = np.repeat([0.25, 1.0], [90, 10])

    def guard(max_repeats: int) -> MixGuard:
        source = Source(Count(100), "model", "synthetic", quality=quality)
        return MixGuard(
            Count(100),
            source,
            human_fraction=0.5,
            block_size=2,
            length=400,
            max_repeats=max_repeats,
        )

    with caplog.at_level(logging.WARNING, logger="collapse_guard"):
        # 200 draws over 90 rows of a quarter and 10 of one: 6.15 for each of the latter.
        guard(6)
        assert "rows of high quality are shown less often than it asks for in model" in caplog.text
        assert "Give at least 7" in caplog.text
        caplog.clear()
        guard(7)
        assert not caplog.text
