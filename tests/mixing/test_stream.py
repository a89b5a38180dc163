"""The iterable twin: the floor, no row lost or twice, one stream for all, and exact resumes."""

import json
import math
from collections import Counter
from fractions import Fraction
from itertools import islice

import pytest
import torch
from accelerate.data_loader import IterableDatasetShard
from hypothesis import given, settings, strategies as st
from torch.utils.data import DataLoader
from torchdata.stateful_dataloader import StatefulDataLoader

from collapse_guard.errors import ArgumentError, MixOrderError
from collapse_guard.mixing import Source
from collapse_guard.mixing.stream import MixStream
from tests.mixing.naive import human_slots
from tests.mixing.streams import (
    FLOORS,
    HUMAN,
    SYNTHETIC,
    Rows,
    batches_of,
    make_sources,
    make_stream,
    read_by,
    states_on_the_way,
    stop,
)


@given(
    floor=FLOORS,
    block_size=st.integers(1, 12),
    buffer=st.integers(1, 30),
    counts=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    seed=st.integers(0, 2**64 - 1),
)
def test_each_slot_is_of_the_kind_that_a_naive_count_says_and_no_row_comes_twice(
    floor: Fraction, block_size: int, buffer: int, counts: tuple[int, int], seed: int
) -> None:
    human, synthetic = (
        Rows(mark, count) for mark, count in zip((HUMAN, SYNTHETIC), counts, strict=True)
    )
    stream = MixStream(
        human,
        synthetic,
        human_fraction=floor,
        block_size=block_size,
        shuffle_buffer=buffer,
        seed=seed,
    )
    try:
        shown = list(stream)
    except ArgumentError:
        # Not even one block can be filled.
        per_block = math.ceil(floor * block_size)
        assert counts[0] < per_block or counts[1] < block_size - per_block
        return
    marks = [mark == HUMAN for mark, _ in shown]
    assert marks == list(islice(human_slots(floor, block_size), len(shown)))
    assert len(set(shown)) == len(shown)
    assert len(shown) % block_size == 0
    # One more block would have asked some source for more than it has.
    more = list(islice(human_slots(floor, block_size), len(shown) + block_size))
    assert sum(more) > counts[0] or len(more) - sum(more) > counts[1]
    for mark in (HUMAN, SYNTHETIC):
        places = [number for kind, number in shown if kind == mark]
        assert all(abs(number - place) < buffer for place, number in enumerate(places))
        # Whole chunks are shown as a whole: nothing is skipped on the way.
        whole = len(places) // buffer * buffer
        assert sorted(places[:whole]) == list(range(whole))


@settings(max_examples=60)
@given(
    processes=st.integers(1, 4),
    workers=st.integers(1, 3),
    batch_size=st.integers(1, 5),
    accumulation=st.integers(1, 3),
    floor=FLOORS,
    length=st.integers(1, 200),
)
def test_it_is_one_stream_on_any_number_of_processes_and_workers(
    processes: int, workers: int, batch_size: int, accumulation: int, floor: Fraction, length: int
) -> None:
    block_size = processes * batch_size * accumulation
    stream = make_stream(
        human_fraction=floor,
        block_size=block_size,
        batch_size=batch_size,
        length=length,
        max_repeats=None,
        shuffle_buffer=9,
    )
    alone = list(stream)
    assert len(alone) == len(stream) == -(-length // block_size) * block_size
    assert read_by(stream, processes, workers, batch_size) == alone
    for start in range(0, len(alone), block_size):
        batch = alone[start : start + block_size]
        assert sum(mark == HUMAN for mark, _ in batch) == math.ceil(floor * block_size)


@given(processes=st.integers(1, 3), workers=st.integers(1, 3), split=st.booleans())
def test_accelerate_parts_it_among_the_workers_of_all_processes(
    processes: int, workers: int, split: bool
) -> None:
    """With `dispatch_batches=False`: each process reads all rows and keeps some of each batch."""
    rows = 4 * processes
    stream = make_stream(batch_size=rows, block_size=rows, length=96, max_repeats=None)
    by_process = []
    for rank in range(processes):
        part = IterableDatasetShard(
            stream, rows if split else 4, False, processes, rank, split_batches=split
        )
        by_process.append(batches_of(workers, lambda part=part: iter(part), 4))
    steps = zip(*by_process, strict=True)
    assert [row for step in steps for batch in step for row in batch] == list(stream)


def test_shards_end_together_where_a_block_is_less_than_a_step() -> None:
    stream = make_stream(block_size=2, batch_size=3, human_fraction=0.5)
    alone = list(stream)
    together = read_by(stream, processes=2, workers=2, size=3)
    assert together == alone[: len(together)]
    assert len(together) == 78  # the last whole step in 80 slots
    sized = make_stream(block_size=2, batch_size=3, human_fraction=0.5, length=50, max_repeats=2)
    assert (len(sized), len(sized.shard(2, 1))) == (50, 27)
    assert len(read_by(sized, processes=2, workers=2, size=3)) == 54


@pytest.mark.usefixtures("few_slots_at_a_time")
class TestResume:
    @pytest.mark.parametrize("source", ["iterable", "datasets", "shuffled", "map"])
    def test_from_every_point(self, source: str) -> None:
        def make() -> MixStream:
            # Either source is gone through twice.
            return make_stream(*make_sources(source, (13, 20)), max_repeats=2, length=48)

        whole = list(make())
        rows, states = states_on_the_way(make())
        assert rows == whole
        for shown, state in enumerate(states):
            resumed = make()
            resumed.load_state_dict(state)
            assert resumed.state_dict() == state
            assert list(resumed) == whole[shown:]

    @pytest.mark.parametrize("source", ["iterable", "datasets", "shuffled", "map"])
    def test_sources_that_were_read_before_begin_anew(self, source: str) -> None:
        sources = make_sources(source, (13, 20))
        stream = make_stream(*sources, max_repeats=2, length=48)
        whole = list(stream)
        list(islice(stream, 30))
        state = stream.state_dict()
        assert list(stream) == whole
        for again in (stream, make_stream(*sources, max_repeats=2, length=48)):
            again.load_state_dict(state)
            assert list(again) == whole[30:]
            assert list(again) == whole

    def test_a_state_does_not_grow(self) -> None:
        stream = make_stream(Rows(HUMAN, 3000), Rows(SYNTHETIC, 6000), shuffle_buffer=500)
        sizes = []
        for _ in stream:
            sizes.append(len(json.dumps(stream.state_dict())))
        assert max(sizes) < min(sizes) + 40

    @given(
        steps=st.integers(0, 8),
        processes=st.integers(1, 3),
        workers=st.integers(1, 2),
        by_hand=st.booleans(),
    )
    def test_any_number_of_readers_goes_on_where_one_stopped(
        self, steps: int, processes: int, workers: int, by_hand: bool
    ) -> None:
        step = processes * 4
        stream = make_stream(length=96, max_repeats=2, block_size=step)
        whole = list(stream)
        shown = min(steps * step, len(whole))
        assert list(islice(iter(stream), shown)) == whole[:shown]
        resumed = make_stream(length=96, max_repeats=2, block_size=step)
        if by_hand:
            resumed.resume_at(shown)
        else:
            resumed.load_state_dict(stream.state_dict())
        assert read_by(resumed, processes, workers, 4) == whole[shown:]

    def test_a_state_of_one_of_many_readers_is_for_that_reader_only(self) -> None:
        stream = make_stream().shard(2, 1)
        list(islice(stream, 5))
        state = stream.state_dict()
        resumed = make_stream().shard(2, 1)
        resumed.load_state_dict(state)
        assert list(resumed) == list(make_stream().shard(2, 1))[5:]
        for other in (make_stream(), make_stream().shard(2, 0), make_stream().shard(3, 1)):
            other.load_state_dict(state)
            with pytest.raises(ArgumentError, match="expected that of reader"):
                iter(other)

    def test_a_state_of_another_stream_is_refused(self) -> None:
        state = make_stream(seed=1).state_dict()
        with pytest.raises(ArgumentError, match="seed: the state has 1, this mix 2"):
            make_stream(seed=2).load_state_dict(state)
        with pytest.raises(
            ArgumentError, match=r"expected a state of version 2, but got 1: .*at\("
        ):
            make_stream(seed=1).load_state_dict({**state, "version": 1})

    # torchdata 0.11 calls what torch 2.13 has deprecated.
    @pytest.mark.filterwarnings("ignore:'set_vital' is deprecated:UserWarning")
    @pytest.mark.parametrize("num_workers", [0, 2])
    @pytest.mark.parametrize("source", ["iterable", "datasets"])
    def test_torchdata_resumes_it(self, source: str, num_workers: int) -> None:
        def load() -> StatefulDataLoader:
            stream = make_stream(*make_sources(source, (13, 20)), max_repeats=2, length=48)
            return StatefulDataLoader(stream, 4, num_workers=num_workers, collate_fn=list)

        whole = list(load())
        for shown in (0, 1, 5, 11):
            stopped = load()
            batches = iter(stopped)
            assert list(islice(batches, shown)) == whole[:shown]
            resumed = load()
            resumed.load_state_dict(stopped.state_dict())
            stop(batches)
            assert list(resumed) == whole[shown:]


@pytest.mark.parametrize("source", ["datasets", "shuffled", "map"])
@pytest.mark.parametrize("num_workers", [0, 1, 2])
def test_workers_read_hugging_face_streams_once(source: str, num_workers: int) -> None:
    stream = make_stream(*make_sources(source))
    loader = DataLoader(stream, 4, num_workers=num_workers, collate_fn=list)
    stream.check_loader(loader)
    rows = [row for batch in loader for row in batch]
    assert rows == list(stream)
    assert len({(row["mark"], row["number"]) for row in rows}) == len(rows) == 96


@pytest.mark.slow
def test_spawned_workers_that_stay_read_it_again_and_again() -> None:
    stream = make_stream(*make_sources("datasets"))
    loader = DataLoader(
        stream,
        4,
        num_workers=2,
        collate_fn=list,
        multiprocessing_context="spawn",
        persistent_workers=True,
    )
    for _ in range(2):
        assert [row for batch in loader for row in batch] == list(stream)


def test_rows_of_arrow_streams_come_through_the_default_collator() -> None:
    human, synthetic = (stream.with_format("torch") for stream in make_sources("datasets"))
    batches = list(DataLoader(make_stream(human, synthetic), batch_size=8))
    assert [(batch["mark"] == HUMAN).sum().item() for batch in batches] == [3] * 12


class TestSources:
    def test_several_share_the_slots_by_weight_and_floor(self) -> None:
        synthetic = [
            Source(Rows(2, 900), "one", "synthetic", weight=3),
            Source(Rows(4, 900), "two", "synthetic", weight=1, min_fraction=0.25),
        ]
        rows = list(make_stream(Rows(1, 900), synthetic, length=800))
        counts = Counter(mark for mark, _ in rows)
        assert counts == {1: 300, 2: 300, 4: 200}
        for start in range(0, 800, 8):
            assert sum(mark == 4 for mark, _ in rows[start : start + 8]) == 2

    def test_stages_change_the_floor_exactly(self) -> None:
        rows = list(
            make_stream(
                Rows(1, 900), Rows(2, 900), human_fraction=[(0.5, 1.0), (1.0, 0.25)], length=160
            )
        )
        marks = [mark == 1 for mark, _ in rows]
        assert all(marks[:80])
        assert [sum(marks[start : start + 8]) for start in range(80, 160, 8)] == [2] * 10

    def test_the_kind_without_slots_is_left_out(self) -> None:
        assert {mark for mark, _ in make_stream(human_fraction=1)} == {HUMAN}
        assert [source.name for source in make_stream(human_fraction=0).sources] == ["synthetic"]


class TestErrors:
    def test_processes_that_all_read_everything(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("RANK", "1")
        stream = make_stream()
        with pytest.raises(MixOrderError, match=r"give each process stream\.shard"):
            list(stream)
        assert len(list(stream.shard(1, 0))) == 96

    def test_a_length_that_is_not_known(self) -> None:
        with pytest.raises(TypeError, match="has no length"):
            len(make_stream())


def test_nothing_random_is_drawn() -> None:
    before = torch.get_rng_state()
    list(make_stream(*make_sources("map")))
    assert torch.equal(before, torch.get_rng_state())


def test_only_the_first_epoch_after_a_resume_begins_there() -> None:
    stream = make_stream(*make_sources("map"), length=40)
    whole = list(stream)
    stream.resume_at(24)
    loader = DataLoader(stream, 4, num_workers=2, collate_fn=list)
    first, second = ([row for batch in loader for row in batch] for _ in range(2))
    assert first == whole[24:]
    assert len(second) == 40
