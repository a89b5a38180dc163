import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from collapse_guard.errors import ArgumentError
from collapse_guard.mixing import MixGuard
from collapse_guard.reference import HumanReference
from tests.mixing.conftest import make_rows

HUMAN = [{"input_ids": [0, number % 100]} for number in range(200)]
SYNTHETIC = make_rows(2, 300)


def make_guard(reference: HumanReference, **settings: Any) -> MixGuard:
    arguments: dict[str, Any] = {
        "human_fraction": 0.3,
        "block_size": 8,
        "rare_boost": 3.0,
        "epochs": 3,
    } | settings
    return MixGuard(HUMAN, SYNTHETIC, reference=reference, **arguments)


@given(
    slots=st.integers(0, 3000),
    fraction=st.fractions(0, 1, max_denominator=20).filter(lambda f: 0 < f < 0.8),
    boost=st.floats(1, 10),
)
def test_it_agrees_with_counting(
    slots: int, fraction: Any, boost: float, zipf_reference: HumanReference
) -> None:
    guard = make_guard(
        zipf_reference, human_fraction=fraction, rare_boost=boost, length=1000, max_repeats=6
    )
    report = guard.report(slots)
    is_human, rows = guard.locate(range(slots))
    assert report.slots == slots
    for source, size, shown in (
        (report.human, 200, rows[is_human]),
        (report.synthetic, 300, rows[~is_human]),
    ):
        if source is None:
            assert not len(shown)
            continue
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


def test_strata_are_reported_from_the_commonest_to_the_rarest(
    zipf_reference: HumanReference,
) -> None:
    guard = make_guard(zipf_reference)
    human = guard.report().human
    assert human is not None
    is_human, rows = guard.locate(range(len(guard)))
    times = np.bincount(rows[is_human], minlength=200)
    rarity = zipf_reference.self_information[np.arange(200) % 100].astype(np.float32)
    for stratum in human.strata:
        assert stratum.rarity is not None
        low, high = stratum.rarity
        members = times[(rarity >= low) & (rarity <= high)]
        assert (stratum.rows, stratum.shown) == (len(members), members.sum())
        assert (stratum.fewest, stratum.most) == (members.min(), members.max())
        assert stratum.mean == pytest.approx(members.mean())


def test_the_text_names_every_figure(zipf_reference: HumanReference) -> None:
    text = str(make_guard(zipf_reference, num_strata=2, epochs=1).report())
    assert text.splitlines() == [
        "504 slots, 37.5% human (3 of every 8)",
        "human: 189 shown of 200 rows, 147 different, 42 more than once",
        "  stratum 0 (2.4 to 8.0 bits): 100 rows, shown 0.47 times each (0 to 1)",
        "  stratum 1 (8.0 to 8.9 bits): 100 rows, shown 1.42 times each (1 to 2)",
        "synthetic: 315 shown of 300 rows, 300 different, 15 more than once",
    ]


def test_it_is_plain_data(zipf_reference: HumanReference) -> None:
    report = make_guard(zipf_reference).report(500)
    data = json.loads(json.dumps(report.as_dict()))
    assert data["slots"] == 500
    assert data["human_share"] == report.human_share
    assert len(data["human"]["strata"]) == len(report.human.strata)  # type: ignore[union-attr]


@pytest.mark.parametrize("slots", [-1, 10**6, 1.5])
def test_slots_that_do_not_exist_are_refused(zipf_reference: HumanReference, slots: Any) -> None:
    with pytest.raises(ArgumentError, match="`slots` expected a whole number from 0 to"):
        make_guard(zipf_reference).report(slots)
