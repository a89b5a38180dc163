from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from collapse_guard.human_text.reference import HumanReference
from collapse_guard.mixing import MixGuard, RareBoost
from collapse_guard.mixing.order.row_order import RowOrder
from tests.mixing.conftest import Count
from tests.mixing.reports.mixes import make_guard, several_sources


@given(
    slots=st.integers(0, 3000),
    fraction=st.fractions(0, 1, max_denominator=20).filter(lambda f: 0 < f < 0.8),
    boost=st.floats(1, 10),
)
def test_it_agrees_with_counting(
    slots: int, fraction: Any, boost: float, zipf_reference: HumanReference
) -> None:
    guard = make_guard(
        zipf_reference,
        human_fraction=fraction,
        boost=RareBoost(boost, by=zipf_reference),
        length=1000,
        max_repeats=6,
    )
    report = guard.report(slots)
    is_human, _, rows, _ = guard.locate(range(slots))
    assert report.slots == slots
    for source, size, shown in (
        (report.source("human"), 200, rows[is_human]),
        (report.source("synthetic"), 300, rows[~is_human]),
    ):
        times = np.bincount(shown, minlength=size)
        assert source.rows == size
        assert source.shown == len(shown)
        assert source.unique == (times >= 1).sum()
        assert source.repeated == (times >= 2).sum()
        assert sum(stratum.rows for stratum in source.strata) == size
        assert sum(stratum.shown for stratum in source.strata) == len(shown)
        assert min(stratum.fewest for stratum in source.strata) == times.min()
        assert max(stratum.most for stratum in source.strata) == times.max()
    assert report.human_share == pytest.approx(is_human.mean() if slots else 0.0)


@given(slots=st.integers(0, 480))
def test_every_epoch_of_every_source_agrees_with_counting(slots: int) -> None:
    guard = several_sources()
    report = guard.report(slots)
    located = guard.locate(range(slots))
    parts = [(report.sources, 0, slots)]
    parts += [
        (part.sources, 160 * part.epoch, min(160 * part.epoch + 160, slots))
        for part in report.epochs
    ]
    assert [part.epoch for part in report.epochs] == list(range(-(-slots // 160)))
    assert sum(part.slots for part in report.epochs) == slots
    for sources, start, stop in parts:
        for number, (source, described) in enumerate(zip(sources, guard.sources, strict=True)):
            mine = located.source[start:stop] == number
            times = np.bincount(located.row[start:stop][mine], minlength=len(described.rows))
            assert (source.name, source.kind) == (described.name, described.kind)
            assert (source.shown, source.unique) == (times.sum(), (times >= 1).sum())
            assert source.repeated == (times >= 2).sum()
            for field in ("rows", "shown", "unique", "repeated"):
                of_strata = sum(getattr(stratum, field) for stratum in source.strata)
                assert of_strata == getattr(source, field)
            for stratum in source.strata:
                low, high = stratum.rarity or (0, 10**6)
                if stratum.quality is not None:
                    quality = np.tile([1.0, 0.25], 10)
                    in_stratum = times[
                        (quality >= stratum.quality[0]) & (quality <= stratum.quality[1])
                    ]
                else:
                    in_stratum = times[int(low) : int(high) + 1]
                assert (stratum.rows, stratum.shown) == (len(in_stratum), in_stratum.sum())
                assert (stratum.fewest, stratum.most) == (in_stratum.min(), in_stratum.max())


def test_a_long_run_is_counted_as_fast_as_a_short_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """No more rows are looked at for a hundred million slots than for a thousand."""
    looked_at = []
    shuffled = RowOrder._shuffled

    def counted(self: RowOrder, *arguments: Any) -> Any:
        looked_at.append(len(arguments[-1]))
        return shuffled(self, *arguments)

    monkeypatch.setattr(RowOrder, "_shuffled", counted)
    guard = MixGuard(
        Count(100), Count(100), human_fraction=0.5, block_size=2, length=10**8, max_repeats=10**6
    )
    assert guard.report(99_999_999).source("human").shown in (49_999_999, 50_000_000)
    assert sum(looked_at) < 100
