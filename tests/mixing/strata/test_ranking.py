import math
from typing import Any

import numpy as np
import pytest

from collapse_guard.errors import ArgumentError
from collapse_guard.mixing import MixGuard, RareBoost, Source
from collapse_guard.mixing.strata.ranking import rank_by_quality
from tests.mixing.conftest import Count


def times_shown(quality: Any, *, length: int = 4000, **settings: Any) -> np.ndarray[Any, Any]:
    source = Source(Count(len(quality)), "model", "synthetic", quality=quality)
    arguments: dict[str, Any] = {
        "human_fraction": 0.5, "block_size": 10, "length": length, "max_repeats": 50
    } | settings  # fmt: skip
    guard = MixGuard(Count(1000), source, **arguments)
    located = guard.locate(range(len(guard)))
    return np.bincount(located.row[~located.is_human], minlength=len(quality))


def test_rows_are_shown_in_proportion_to_their_quality() -> None:
    quality = np.repeat([1.0, 0.5, 0.25], 100)
    means = times_shown(quality).reshape(3, 100).mean(axis=1)
    assert means[0] / means[1] == pytest.approx(2, rel=0.02)
    assert means[0] / means[2] == pytest.approx(4, rel=0.02)


def test_a_row_of_quality_0_is_never_shown() -> None:
    quality = np.ones(200)
    quality[::4] = 0
    times = times_shown(quality)
    assert times[::4].sum() == 0
    assert times[quality > 0].min() >= 13


def test_rows_of_quality_0_are_no_supply() -> None:
    quality = [0.0] * 190 + [1.0] * 10
    with pytest.raises(ArgumentError, match="at most 20 slots, so that none of the 10 rows in"):
        times_shown(quality, length=100, max_repeats=1)


def test_what_the_cap_cuts_off_goes_to_better_rows_first() -> None:
    quality = np.repeat([1.0, 0.1], 100)
    times = times_shown(quality, length=600, max_repeats=2)
    assert times[:100].tolist() == [2] * 100
    assert times[100:].tolist() == [1] * 100


def test_many_values_make_ten_groups_of_like_quality() -> None:
    ranking = rank_by_quality("model", np.linspace(0.1, 1, 1000), 1000)
    assert ranking.num_groups == 10
    quality = np.linspace(0.1, 1, 1000)
    means = times_shown(quality, length=20_000).reshape(10, 100).mean(axis=1)
    expected = quality.reshape(10, 100).mean(axis=1)
    assert means / means.mean() == pytest.approx(expected / expected.mean(), rel=0.02)


def test_quality_and_rarity_work_together() -> None:
    quality = np.tile([1.0, 0.5], 500)
    guard = MixGuard(
        Source(Count(1000), "wiki", "human", quality=quality),
        Count(1000),
        human_fraction=0.5,
        block_size=10,
        length=10_000,
        max_repeats=50,
        boost=RareBoost(3.0, by=np.arange(1000), num_strata=2),
    )
    located = guard.locate(range(10_000))
    times = np.bincount(located.row[located.is_human]).reshape(2, 250, 2).mean(axis=1)
    assert times / times[0, 1] == pytest.approx(np.array([[2, 1], [6, 3]]), rel=0.02)
    strata = guard.report().source("wiki").strata
    assert [(s.rows, s.rarity, s.quality) for s in strata] == [
        (500, (0.0, 499.0), None),
        (500, (500.0, 999.0), None),
    ]


def test_quality_alone_is_reported_by_its_groups() -> None:
    source = Source(Count(300), "model", "synthetic", quality=np.repeat([0.0, 0.5, 1.0], 100))
    guard = MixGuard(Count(300), source, human_fraction=0.5, block_size=2)
    report = guard.report()
    strata = report.source("model").strata
    assert [s.quality for s in strata] == [(0.0, 0.0), (0.5, 0.5), (1.0, 1.0)]
    assert [s.shown for s in strata] == [0, 100, 200]
    assert "stratum 2 (quality 1 to 1): 100 rows, shown 2.00 times each" in str(report)


@pytest.mark.parametrize(
    "quality",
    [[1.0], [1.0] * 4, [[1.0]] * 3, [-1.0, 1, 1], [math.nan, 1, 1], [0.0] * 3, ["a"] * 3, 1.0,
     [math.inf, 1, 1]],
)  # fmt: skip
def test_anything_but_a_number_for_each_row_is_refused(quality: Any) -> None:
    with pytest.raises(ArgumentError, match="`quality` expected one number of at least 0 for each"):
        MixGuard(
            [1, 2], Source([1, 2, 3], "model", "synthetic", quality=quality),
            human_fraction=0.5, block_size=2,
        )  # fmt: skip
