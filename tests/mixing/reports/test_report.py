import json
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from collapse_guard.errors import ArgumentError, MissingExtraError
from collapse_guard.human_text.reference import HumanReference
from collapse_guard.mixing import MixGuard, RareBoost, Source
from collapse_guard.mixing.order.row_order import RowOrder
from tests.mixing.conftest import Count, make_rows

HUMAN = [{"input_ids": [0, number % 100]} for number in range(200)]
SYNTHETIC = make_rows(2, 300)


def make_guard(reference: HumanReference, **settings: Any) -> MixGuard:
    arguments: dict[str, Any] = {
        "human_fraction": 0.3,
        "block_size": 8,
        "boost": RareBoost(3.0, by=reference),
        "epochs": 3,
    } | settings
    return MixGuard(HUMAN, SYNTHETIC, **arguments)


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


def test_strata_are_reported_from_the_commonest_to_the_rarest(
    zipf_reference: HumanReference,
) -> None:
    guard = make_guard(zipf_reference)
    human = guard.report().source("human")
    is_human, _, rows, _ = guard.locate(range(len(guard)))
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
    text = str(
        make_guard(
            zipf_reference, boost=RareBoost(3.0, by=zipf_reference, num_strata=2), epochs=1
        ).report()
    )
    assert text.splitlines() == [
        "504 slots, 37.5% human (at least 3 of every 8)",
        "human: 189 shown of 200 rows, 147 different, 42 more than once",
        "  stratum 0 (rarity 2.39 to 7.96): 100 rows, shown 0.47 times each (0 to 1)",
        "  stratum 1 (rarity 8.03 to 8.9): 100 rows, shown 1.42 times each (1 to 2)",
        "synthetic: 315 shown of 300 rows, 300 different, 15 more than once",
    ]


def test_it_is_plain_data(zipf_reference: HumanReference) -> None:
    report = make_guard(zipf_reference).report(500)
    data = json.loads(json.dumps(report.to_dict()))
    assert data["slots"] == 500
    assert data["human_share"] == report.human_share
    assert [source["name"] for source in data["sources"]] == ["human", "synthetic"]
    assert len(data["sources"][0]["strata"]) == len(report.source("human").strata)
    assert [part["slots"] for part in data["epochs"]] == [500]


@pytest.mark.parametrize("slots", [-1, 10**6, 1.5])
def test_slots_that_do_not_exist_are_refused(zipf_reference: HumanReference, slots: Any) -> None:
    with pytest.raises(ArgumentError, match="`slots` expected a whole number from 0 to"):
        make_guard(zipf_reference).report(slots)


def several_sources(**settings: Any) -> MixGuard:
    """Two of each kind, a floor that changes within an epoch, and quality."""
    arguments: dict[str, Any] = {
        "human_fraction": [(0.4, 0.75), (1.0, 0.25)],
        "block_size": 8,
        "length": 160,
        "epochs": 3,
        "boost": RareBoost(3.0, by=lambda row: row["input_ids"][1]),
    } | settings
    return MixGuard(
        [
            Source(make_rows(0, 50), "wiki", "human", licence="CC-BY-SA-4.0"),
            Source(make_rows(1, 70), "news", "human", weight=2, min_fraction=0.125),
        ],
        [
            Source(make_rows(2, 60), "one", "synthetic", generation=1, max_repeats=8),
            Source(make_rows(3, 40), "two", "synthetic", generation=2, when_dry="human"),
            Source(make_rows(4, 20), "too", "synthetic", generation=2, quality=[1.0, 0.25] * 10),
        ],
        **arguments,
    )


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


def test_generations_add_up_their_sources() -> None:
    report = several_sources().report()
    assert [part.generation for part in report.generations] == [0, 1, 2]
    for part in report.generations:
        sources = [s for s in report.sources if s.generation == part.generation]
        for field in ("rows", "shown", "unique", "repeated"):
            assert getattr(part, field) == sum(getattr(source, field) for source in sources)
    lines = str(report).splitlines()
    assert lines[0].endswith("(at least 2 of every 8)")
    assert str(report.generations[2]) in lines
    assert lines[-1].startswith("epoch 2: 160 slots; wiki ")


def test_one_epoch_of_one_source_of_each_kind_is_three_lines() -> None:
    guard = MixGuard(make_rows(0, 5), make_rows(1, 5), human_fraction=0.5, block_size=2)
    assert len(str(guard.report()).splitlines()) == 3


def test_of_many_epochs_the_text_shows_the_last() -> None:
    guard = MixGuard(make_rows(0, 5), make_rows(1, 5), human_fraction=0.5, block_size=2, epochs=30)
    lines = str(guard.report()).splitlines()
    assert lines[3] == "... 20 epochs ..."
    assert [line.partition(":")[0] for line in lines[4:]] == [f"epoch {e}" for e in range(20, 30)]
    assert len(guard.report().to_dict()["epochs"]) == 30


def test_the_frame_has_a_row_for_each_stratum_of_each_part() -> None:
    report = several_sources().report()
    frame = report.as_frame()
    parts = [report.sources, *(part.sources for part in report.epochs)]
    assert len(frame) == sum(len(source.strata) for part in parts for source in part)
    total = frame[frame["epoch"].isna()]
    assert total["shown"].sum() == report.slots
    by_source = total.groupby("source")["unique"].sum()
    assert by_source.to_dict() == {source.name: source.unique for source in report.sources}
    by_epoch = frame.groupby("epoch")["shown"].sum()
    assert by_epoch.to_dict() == {0: 160, 1: 160, 2: 160}
    assert set(frame[frame["source"] == "wiki"]["licence"]) == {"CC-BY-SA-4.0"}
    assert str(frame["epoch"].dtype) == "Int64"


def test_a_frame_without_pandas_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtraError, match=r"collapse_guard\[huggingface\]"):
        several_sources().report().as_frame()


def test_a_source_is_found_by_its_name() -> None:
    report = several_sources().report()
    assert report.source("news") == report.sources[1]
    with pytest.raises(KeyError, match="sports"):
        report.source("sports")


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
