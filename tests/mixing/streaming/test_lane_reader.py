"""One stream, whoever reads its lanes, and exact resumes."""

import json
from collections import Counter
from fractions import Fraction
from itertools import islice
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from torch.utils.data import DataLoader
from torchdata.stateful_dataloader import StatefulDataLoader

from collapse_guard.errors import ArgumentError
from collapse_guard.mixing import Source
from collapse_guard.mixing.stream import MixStream
from collapse_guard.mixing.streaming.dealt_reader import Portions
from collapse_guard.mixing.streaming.lane_reader import aligned, own_lanes, slot_of, states_of
from tests.mixing.naive import human_slots
from tests.mixing.sharded import Shards, make_lanes
from tests.mixing.streams import (
    FLOORS,
    HUMAN,
    SYNTHETIC,
    make_sources,
    make_stream,
    read_by,
    states_on_the_way,
    stop,
)


@settings(max_examples=25)
@given(
    floor=FLOORS,
    block_size=st.integers(1, 12),
    size=st.integers(1, 5),
    lanes=st.sampled_from([2, 4, 6]),
    readers=st.sampled_from([(1, 1), (1, 2), (2, 1)]),
    length=st.integers(1, 200),
)
def test_the_floor_and_the_stream_are_the_same_for_any_readers(
    floor: Fraction,
    block_size: int,
    size: int,
    lanes: int,
    readers: tuple[int, int],
    length: int,
) -> None:
    stream = make_lanes(
        Shards(HUMAN, 120, 30),
        Shards(SYNTHETIC, 120, 30),
        human_fraction=floor,
        block_size=block_size,
        batch_size=size,
        lanes=lanes,
        length=length,
        max_repeats=None,
    )
    alone = list(stream)
    assert len(alone) == len(stream) >= length
    marks = [mark == HUMAN for mark, _ in alone]
    # Slot for slot the kinds of a stream without lanes.
    assert marks == list(islice(human_slots(floor, block_size), len(alone)))
    assert read_by(stream, *readers, size) == alone


@pytest.mark.parametrize("kind", ["datasets", "map", "shuffled files"])
def test_hugging_face_streams_and_lists(kind: str) -> None:
    human, synthetic = make_sources("map" if kind == "map" else "datasets", (36, 60))
    if kind == "shuffled files":
        human, synthetic = (stream.shuffle(seed=3, buffer_size=1) for stream in (human, synthetic))
    # Of three and five files.
    stream = make_stream(human, synthetic, lanes=2, length=96, max_repeats=None)
    alone = [(row["mark"], row["number"]) for row in stream]
    assert {number for mark, number in alone if mark == HUMAN} == set(range(36))
    loader = DataLoader(stream, 4, num_workers=2, collate_fn=list)
    stream.check_loader(loader)
    assert [(row["mark"], row["number"]) for batch in loader for row in batch] == alone


@pytest.mark.usefixtures("few_slots_at_a_time")
class TestResume:
    @pytest.mark.parametrize("source", ["iterable", "datasets"])
    def test_from_every_point_by_one_reader(self, source: str) -> None:
        def make() -> MixStream:
            human, synthetic = make_sources("datasets", (13, 20))
            if source == "iterable":
                human, synthetic = Shards(HUMAN, 13, 3), Shards(SYNTHETIC, 20, 5)
            return make_stream(human, synthetic, lanes=2, length=64, max_repeats=None)

        whole = list(make())
        rows, states = states_on_the_way(make())
        assert rows == whole
        for shown, state in enumerate(states):
            resumed = make()
            resumed.load_state_dict(state)
            assert resumed.state_dict() == state
            assert list(resumed) == whole[shown:]
            by_hand = make()
            by_hand.resume_at(shown)
            assert list(by_hand) == whole[shown:]

    @pytest.mark.parametrize("readers", [(1, 2), (2, 1), (2, 2), (8, 1)])
    @pytest.mark.parametrize("steps", [0, 3, 17])
    def test_any_number_goes_on_where_one_stopped(
        self, readers: tuple[int, int], steps: int
    ) -> None:
        stream, shown = make_lanes(), steps * 32
        whole = list(stream)
        list(islice(stream, shown))
        by_state, by_hand = make_lanes(), make_lanes()
        by_state.load_state_dict(json.loads(json.dumps(stream.state_dict())))
        by_hand.resume_at(shown)
        assert read_by(by_state, *readers, 4) == whole[shown:]
        assert read_by(by_hand, *readers, 4) == whole[shown:]

    def test_a_lone_reader_s_state_spares_what_was_read(self) -> None:
        stream = make_lanes()
        list(islice(stream, 320))
        human = Shards(HUMAN, 160)
        resumed = make_lanes(human)
        resumed.load_state_dict(stream.state_dict())
        list(resumed.shard(8, 3))
        # Half of the 20 rows of a shard, and at most a buffer and the rows read ahead again.
        assert len(human.read) <= 20 - 10 + 7 + 8

    def test_one_of_several_goes_on_by_itself_only(self) -> None:
        stream = make_lanes().shard(4, 1)
        whole = list(stream)
        for shown in (0, 1, 5, 16, 33, 160):
            list(islice(stream, shown))
            state = json.loads(json.dumps(stream.state_dict()))
            resumed = make_lanes().shard(4, 1)
            resumed.load_state_dict(state)
            assert list(resumed) == whole[shown:]
            other = make_lanes().shard(4, 2)
            other.load_state_dict(state)
            if shown:
                with pytest.raises(ArgumentError, match="expected that of reader 2 of 4"):
                    iter(other)

    def test_several_begin_after_a_whole_portion_only(self) -> None:
        stream = make_lanes()
        stream.resume_at(6)
        with pytest.raises(ArgumentError, match="`slots` expected a whole number of portions"):
            iter(stream.shard(2, 0))

    def test_a_stream_without_lanes_is_another(self) -> None:
        with pytest.raises(ArgumentError, match="`state` expected"):
            make_lanes(lanes=4).load_state_dict(make_lanes().state_dict())

    # torchdata 0.11 calls what torch 2.13 has deprecated.
    @pytest.mark.filterwarnings("ignore:'set_vital' is deprecated:UserWarning")
    def test_torchdata_resumes_it(self) -> None:
        def load() -> StatefulDataLoader:
            return StatefulDataLoader(make_lanes(), 4, num_workers=2, collate_fn=list)

        whole = list(load())
        stopped = load()
        batches = iter(stopped)
        assert list(islice(batches, 51)) == whole[:51]
        resumed = load()
        resumed.load_state_dict(stopped.state_dict())
        stop(batches)
        assert list(resumed) == whole[51:]


def test_dry_lanes_hand_over_to_human_rows_of_their_own() -> None:
    def make() -> MixStream:
        few = Source(Shards(SYNTHETIC, 70), "few", "synthetic", when_dry="human")
        return make_lanes(Shards(HUMAN, 640), few)

    rows = list(make())
    counts = Counter(mark for mark, _ in rows)
    assert counts == {SYNTHETIC: 70, HUMAN: 570}
    assert len(set(rows)) == 640
    floor = islice(human_slots(Fraction(1, 4), 4), 640)
    assert all(row[0] == HUMAN or not least for row, least in zip(rows, floor, strict=True))
    assert read_by(make(), 2, 2, 4) == rows
    stopped, resumed = make(), make()
    list(islice(stopped, 150))
    resumed.load_state_dict(stopped.state_dict())
    assert list(resumed) == rows[150:]
    assert not make().report(640).is_exact


def test_portions_and_their_lanes() -> None:
    third = Portions(20, 4, 4, 2)
    assert own_lanes(third, 8) == [3, 7]
    assert [slot_of(third, shown) // 4 % 8 for shown in (0, 3, 4, 8)] == [7, 7, 3, 7]
    assert aligned(Portions(22, 4, 1, 0), 3) == (Portions(20, 4, 1, 0), 5)
    with pytest.raises(ArgumentError, match="`slots`"):
        aligned(Portions(22, 4, 2, 0), 0)


def test_whose_state_it_is() -> None:
    mine = Portions(0, 4, 4, 2)
    lone: dict[str, Any] = {"readers": 1, "reader": 0, "size": 4, "lanes": list("abcdefgh")}
    assert states_of(lone, mine, 8) == ["c", "g"]
    assert states_of({**lone, "readers": 4, "reader": 2, "lanes": ["c", "g"]}, mine, 8) == [
        "c",
        "g",
    ]
    assert states_of({**lone, "readers": 4, "reader": 1, "lanes": ["b", "f"]}, mine, 8) == []
    assert states_of({"base": 3}, mine, 8) == []
