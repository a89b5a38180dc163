import numpy as np

from collapse_guard.mixing.sources import open_sources
from collapse_guard.mixing.strata.boost import RareBoost
from collapse_guard.mixing.strata.strata import Strata
from collapse_guard.mixing.strata.stratify import stratify
from collapse_guard.rows.source import Source
from tests.mixing.conftest import Count

RARITY = np.arange(40) % 10
QUALITY = np.repeat([1.0, 0.5], 20)


def strata_of(boost: RareBoost | None, quality: np.ndarray | None = None) -> list[Strata]:
    human = [Source(Count(30), "a", "human"), Source(Count(10), "b", "human")]
    synthetic = Source(Count(40), "model", "synthetic", quality=quality)
    return stratify(open_sources(human, synthetic, 0.5), boost)


def test_rows_that_nothing_tells_apart_are_one_stratum() -> None:
    assert [own.sizes.tolist() for own in strata_of(None)] == [[30], [10], [40]]
    assert all(own.weights is None for own in strata_of(None))


def test_only_human_rows_are_boosted_and_all_of_them_together() -> None:
    a, b, model = strata_of(RareBoost(3.0, by=RARITY, num_strata=2))
    assert a.rarity_ranges == b.rarity_ranges == ((0.0, 4.0), (5.0, 9.0))
    assert a.weights == b.weights == (1, 3)
    assert (model.rarity_ranges, model.weights) == (None, None)


def test_quality_weighs_the_source_that_has_it() -> None:
    a, b, model = strata_of(RareBoost(3.0, by=RARITY, num_strata=2), QUALITY)
    assert model.weights == (0.5, 1)
    assert model.sizes.tolist() == [20, 20]
    assert a.quality_ranges is b.quality_ranges is None
