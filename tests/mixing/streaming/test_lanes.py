"""Lanes: what they may be, whose the rows are, and that readers share the work."""

import math
from typing import Any

import numpy as np
import pytest

from collapse_guard.errors import ArgumentError, MixOrderError
from collapse_guard.mixing import Source
from collapse_guard.mixing.streaming import lanes as module
from tests.mixing.sharded import Shards, make_lanes
from tests.mixing.streams import HUMAN, SYNTHETIC, Rows, batches_of


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lanes": 0}, "`lanes` expected a whole number"),
        ({"batch_size": None}, "`batch_size` expected a whole number"),
        ({"length": None}, "`length` expected a number of slots with lanes"),
        (
            {"human": Source(Shards(HUMAN, 9), "few", "human", when_dry="stop")},
            "`when_dry` expected 'error' or 'human' with lanes",
        ),
        ({"human": Rows(HUMAN, 9)}, "`lanes` expected 1, as 'human' cannot be read in parts"),
        ({"human": Shards(HUMAN, 90, 3)}, "`lanes` expected at most 3, as 'human' is in 3 shards"),
    ],
)
def test_lanes_that_cannot_be_kept(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        make_lanes(**settings)


def test_every_lane_ends_with_a_whole_portion() -> None:
    assert len(make_lanes(length=600)) == 608
    assert len(make_lanes(length=600).shard(4, 1)) == 152


@pytest.mark.parametrize("readers", [3, 16])
def test_readers_that_would_share_a_lane_are_refused(readers: int) -> None:
    stream = make_lanes()
    with pytest.raises(MixOrderError, match=f"give it lanes={math.lcm(8, readers)}, or"):
        stream.shard(readers, 0)
    with pytest.raises(MixOrderError, match=f"{readers} readers"):
        batches_of(readers, lambda: iter(stream), 4)


def test_each_reader_decodes_its_own_rows_and_no_others() -> None:
    work: dict[int, list[int]] = {}
    for readers in (1, 2, 4, 8):
        decoded = []
        for reader in range(readers):
            human, synthetic = Shards(HUMAN, 160), Shards(SYNTHETIC, 480)
            stream = make_lanes(human, synthetic)
            shown = list(stream.shard(readers, reader) if readers > 1 else stream)
            decoded.append((human.read, synthetic.read))
            assert len(shown) == 640 // readers
        for number, rows in enumerate((160, 480)):
            every = sorted(row for of_reader in decoded for row in of_reader[number])
            assert every == list(range(rows))
        work[readers] = [len(h) + len(s) for h, s in decoded]
    assert work == {readers: [640 // readers] * readers for readers in (1, 2, 4, 8)}


def test_lanes_have_rows_as_they_have_slots() -> None:
    """Batches of one slot: three of the eight lanes show all human rows, and read all of them."""
    settings = {"batch_size": 1, "block_size": 8, "human_fraction": 0.375}
    rows = list(make_lanes(Shards(HUMAN, 240, 9), Shards(SYNTHETIC, 400, 5), **settings))
    assert sorted(number for mark, number in rows if mark == HUMAN) == list(range(240))
    with pytest.raises(ArgumentError, match="`lanes` expected at most 2, as 'human' is in 2 sh"):
        make_lanes(Shards(HUMAN, 240, 2), **settings)


def test_paces_that_differ_are_told(caplog: pytest.LogCaptureFixture) -> None:
    """Two human slots of three in every second batch of four, one in the others."""
    make_lanes()
    assert not caplog.records
    make_lanes(block_size=8, human_fraction=0.375, max_repeats=None)
    assert "rows of 'human' 2.00 times as often in one as in another" in caplog.text


def test_rows_by_number_are_split_too() -> None:
    human = [(HUMAN, number) for number in range(160)]
    rows = list(make_lanes(human))
    assert sorted(number for mark, number in rows if mark == HUMAN) == list(range(160))


def test_a_lane_whose_rows_are_used_up_ends_the_stream_by_name() -> None:
    stream = make_lanes(Shards(HUMAN, 152))
    with pytest.raises(ArgumentError, match="rows of 'human' in one of the lanes are used up"):
        list(stream)


def test_a_lane_goes_round_by_itself() -> None:
    """Shards of 7 and of 6 rows: no row of a lane comes again before all of them were shown."""
    shown = [row for row in make_lanes(Shards(HUMAN, 50), max_repeats=None) if row[0] == HUMAN]
    times = np.bincount([number for _, number in shown], minlength=50)
    assert times.sum() == 160
    for lane in range(8):
        assert np.ptp(times[lane::8]) <= 1


def test_what_lanes_ask_of_a_long_stream_is_counted_in_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = {"length": 6400, "max_repeats": None, "human_fraction": [(0.5, 1), (1, 0.25)]}
    exact = make_lanes(**settings)._plan
    monkeypatch.setattr(module, "_COUNTED", 1024)
    assert exact.lanes is not None
    for lane in exact.lanes.slots:
        assert lane.draws_before(800).tolist() == [500, 300]
    counted = module._asked(exact.slots, lanes=8, size=4, length=6400)
    assert (counted == counted[0]).all()
    assert abs(counted[0, 0] / counted[0].sum() - 500 / 800) < 0.05
    endless = module._asked(exact.slots, lanes=8, size=4, length=None)
    assert endless[0].sum() >= 1024 // 8
