"""The iterable twin: the floor, no row lost or twice, one stream for all, and exact resumes."""

import json
import math
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from copy import copy
from fractions import Fraction
from itertools import chain, islice
from typing import Any, NamedTuple
from unittest import mock

import datasets
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

HUMAN, SYNTHETIC = 1, 2
FLOORS = st.fractions(0, 1, max_denominator=12).filter(lambda f: 0 < f < 1)


class Rows:
    """A stream without a length that says where it is read, and counts what was read."""

    def __init__(self, mark: int, count: int) -> None:
        self.mark, self.count = mark, count
        self.read = 0

    def __iter__(self) -> Iterator[tuple[int, int]]:
        for number in range(self.count):
            self.read += 1
            yield self.mark, number


class Worker(NamedTuple):
    id: int
    num_workers: int


def make_stream(human: Any = None, synthetic: Any = None, **settings: Any) -> MixStream:
    arguments: dict[str, Any] = {
        "human_fraction": 0.3,
        "block_size": 8,
        "shuffle_buffer": 7,
        "batch_size": 4,
    } | settings
    return MixStream(
        Rows(HUMAN, 40) if human is None else human,
        Rows(SYNTHETIC, 60) if synthetic is None else synthetic,
        **arguments,
    )


def batches_of(workers: int, begin: Callable[[], Iterator[Any]], size: int) -> list[list[Any]]:
    """The batches of one process, whose workers take turns as torch's loaders let them."""

    def batches(worker: int) -> Iterator[list[Any]]:
        name = "collapse_guard.mixing.stream.get_worker_info"
        with mock.patch(name, return_value=Worker(worker, workers)):
            # A wrapper may not begin to read until it is asked to.
            rows = begin()
            first = list(islice(rows, size))
        return chain([first] if first else [], iter(lambda: list(islice(rows, size)), []))

    queues = [batches(worker) for worker in range(workers)]
    taken = []
    while queues:
        for queue in list(queues):
            batch = next(queue, None)
            if batch is None:
                queues.remove(queue)
            else:
                taken.append(batch)
    return taken


def read_by(stream: MixStream, processes: int, workers: int, size: int) -> list[Any]:
    """The rows of several processes in the order of their steps, which end together."""
    by_process = []
    for rank in range(processes):
        part = stream.shard(processes, rank) if processes > 1 else stream
        by_process.append(batches_of(workers, lambda part=part: iter(copy(part)), size))
    assert len({len(batches) for batches in by_process}) == 1
    return [row for step in zip(*by_process, strict=True) for batch in step for row in batch]


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


@pytest.fixture
def few_slots_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that short streams are read in many goes, as long ones are."""
    monkeypatch.setattr("collapse_guard.mixing.streaming.dealt_reader._SLOTS_AT_A_TIME", 8)


@pytest.mark.usefixtures("few_slots_at_a_time")
class TestResume:
    @pytest.mark.parametrize("source", ["iterable", "datasets", "shuffled", "map"])
    def test_from_every_point(self, source: str) -> None:
        def make() -> MixStream:
            # Either source is gone through twice.
            return make_stream(*make_sources(source, (13, 20)), max_repeats=2, length=48)

        whole = list(make())
        reading = make()
        states = [reading.state_dict()]
        for _ in reading:
            states.append(json.loads(json.dumps(reading.state_dict())))
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
        with pytest.raises(ArgumentError, match="`state` expected a state of version 1"):
            make_stream(seed=2).load_state_dict(state)
        with pytest.raises(ArgumentError, match="`state` expected a state of version 1"):
            make_stream(seed=1).load_state_dict({**state, "version": 2})

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


def stop(batches: Any) -> None:
    """torch waits five seconds for each worker unless told to stop here."""
    if hasattr(batches, "_shutdown_workers"):
        batches._shutdown_workers()


def numbered(mark: int, count: int) -> Iterator[dict[str, int]]:
    for number in range(count):
        yield {"mark": mark, "number": number}


def make_sources(kind: str, counts: tuple[int, int] = (40, 60)) -> tuple[Any, Any]:
    if kind == "iterable":
        return Rows(HUMAN, counts[0]), Rows(SYNTHETIC, counts[1])
    lists = [
        list(numbered(mark, count)) for mark, count in zip((HUMAN, SYNTHETIC), counts, strict=True)
    ]
    if kind == "map":
        return lists[0], datasets.Dataset.from_list(lists[1])
    streams = [
        datasets.Dataset.from_list(rows).to_iterable_dataset(num_shards=shards)
        for rows, shards in zip(lists, (3, 5), strict=True)
    ]
    if kind == "shuffled":
        streams = [
            datasets.IterableDataset.from_generator(
                numbered, gen_kwargs={"mark": mark, "count": count}
            ).shuffle(seed=1, buffer_size=4)
            for mark, count in zip((HUMAN, SYNTHETIC), counts, strict=True)
        ]
    return streams[0], streams[1]


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


def test_passes_differ_and_each_shows_every_row_once() -> None:
    stream = make_stream(Rows(HUMAN, 14), Rows(SYNTHETIC, 14), max_repeats=3, human_fraction=0.5)
    human = [number for mark, number in stream if mark == HUMAN]
    passes = [human[start : start + 14] for start in range(0, 42, 14)]
    assert [sorted(shown) for shown in passes[:2]] == [list(range(14))] * 2
    assert len({tuple(shown) for shown in passes[:2]}) == 2
    assert max(Counter(human).values()) == 3


def test_each_pass_tells_the_stream_its_number() -> None:
    class Epochs(Rows):
        def set_epoch(self, epoch: int) -> None:
            self.mark = epoch

    rows = list(make_stream(Epochs(0, 10), Rows(9, 90), max_repeats=3))
    assert {mark for mark, _ in rows} == {0, 1, 2, 9}


def test_little_is_read_ahead() -> None:
    human, synthetic = Rows(HUMAN, 10**9), Rows(SYNTHETIC, 10**9)
    stream = make_stream(human, synthetic, shuffle_buffer=100)
    list(islice(stream, 8))
    assert human.read + synthetic.read < 512 + 8 + 2 * 100 + 2


class Row:
    """A row that can be told to be held by nobody."""


class Untold:
    """A long stream that knows which of its rows are still held."""

    def __init__(self) -> None:
        self.held: weakref.WeakSet[Row] = weakref.WeakSet()

    def __iter__(self) -> Iterator[Row]:
        for _ in range(20_000):
            row = Row()
            self.held.add(row)
            yield row


def test_few_rows_are_held_at_any_time() -> None:
    human, synthetic = Untold(), Untold()
    stream = make_stream(human, synthetic, shuffle_buffer=100, human_fraction=0.5)
    most = 0
    for number, _ in enumerate(stream):
        if number % 100 == 0:
            most = max(most, len(human.held), len(synthetic.held))
    assert number > 30_000
    assert 100 <= most <= 512 + 2 * 100


class TestDrySources:
    def test_a_stream_without_a_length_ends_there(self) -> None:
        assert len(list(make_stream(Rows(HUMAN, 9), Rows(SYNTHETIC, 999)))) == 24

    def test_it_is_an_error_before_a_given_length_but_not_before_the_rows_are_shown(self) -> None:
        stream = make_stream(Rows(HUMAN, 10), Rows(SYNTHETIC, 999), length=400)
        rows = iter(stream)
        assert len(list(islice(rows, 24))) == 24
        with pytest.raises(ArgumentError, match=r"`length` expected at most 24 slots.*'human'"):
            next(rows)

    def test_a_source_with_a_length_is_refused_at_construction(self) -> None:
        with pytest.raises(ArgumentError, match=r"at most 10 rows of 'human'.*150 of which"):
            make_stream(list(range(10)), Rows(SYNTHETIC, 999), length=400)

    def test_stop_ends_it_early(self) -> None:
        human = Source(Rows(HUMAN, 10), "books", "human", when_dry="stop")
        rows = list(make_stream(human, Rows(SYNTHETIC, 999), length=400))
        assert len(rows) == 24
        assert sum(mark == HUMAN for mark, _ in rows) == 9

    def test_max_repeats_of_a_source_is_its_own(self) -> None:
        human = Source(Rows(HUMAN, 10), "books", "human", max_repeats=3)
        rows = list(make_stream(human, Rows(SYNTHETIC, 999)))
        assert len(rows) == 80
        assert Counter(n for mark, n in rows if mark == HUMAN) == dict.fromkeys(range(10), 3)

    @pytest.mark.usefixtures("few_slots_at_a_time")
    @pytest.mark.parametrize("readers", [(1, 1), (2, 1), (1, 2), (2, 2)])
    def test_human_rows_take_over_and_the_floor_holds(self, readers: tuple[int, int]) -> None:
        def make() -> MixStream:
            human = [
                Source(Rows(HUMAN, 200), "books", "human"),
                Source(Rows(3, 200), "letters", "human"),
            ]
            synthetic = [
                Source(Rows(SYNTHETIC, 21), "small", "synthetic", when_dry="human"),
                Source(Rows(4, 200), "large", "synthetic"),
            ]
            return make_stream(human, synthetic, length=240)

        rows = list(make())
        counts = Counter(mark for mark, _ in rows)
        assert counts[SYNTHETIC] == 21
        assert counts[4] == 75
        assert abs(counts[HUMAN] - counts[3]) <= 1
        assert len(set(rows)) == 240
        is_human = [mark in (HUMAN, 3) for mark, _ in rows]
        floor = list(islice(human_slots(Fraction(3, 10), 8), 240))
        assert all(ours or not least for ours, least in zip(is_human, floor, strict=True))
        assert read_by(make(), *readers, 4) == rows
        stopped = make()
        list(islice(stopped, 150))
        resumed = make()
        resumed.load_state_dict(stopped.state_dict())
        assert list(resumed) == rows[150:]

    @pytest.mark.parametrize("length", [None, 80])
    def test_an_empty_stream_is_an_error(self, length: int | None) -> None:
        with pytest.raises(ArgumentError, match="`human` expected at least one row"):
            list(make_stream(Rows(HUMAN, 0), length=length))

    def test_a_stream_of_less_than_a_block_is_an_error(self) -> None:
        with pytest.raises(ArgumentError, match="at most 0 slots"):
            list(make_stream(Rows(HUMAN, 2)))


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


@given(slots=st.integers(0, 96), floor=FLOORS)
def test_the_report_agrees_with_counting(slots: int, floor: Fraction) -> None:
    synthetic = [
        Source(Rows(2, 900), "old", "synthetic", 1),
        Source(Rows(4, 900), "new", "synthetic", 2, licence="cc0"),
    ]
    stream = make_stream(Rows(1, 900), synthetic, human_fraction=floor)
    report = stream.report(slots)
    counts = Counter(mark for mark, _ in islice(stream, slots))
    assert [source.shown for source in report.sources] == [counts[mark] for mark in (1, 2, 4)]
    assert [source.generation for source in report.sources] == [0, 1, 2]
    assert report.human_share == pytest.approx(counts[1] / max(slots, 1))
    assert report.is_exact
    assert json.loads(json.dumps(report.to_dict()))["sources"][2]["licence"] == "cc0"
    assert str(report).splitlines()[1] == f"human: {counts[1]} shown"


class TestErrors:
    def test_no_batch_size(self) -> None:
        stream = make_stream(batch_size=None)
        loader = DataLoader(stream, 4, num_workers=2, collate_fn=list)
        with pytest.raises(MixOrderError, match="give batch_size=4 to the MixStream"):
            stream.check_loader(loader)
        batches = iter(loader)
        with pytest.raises(MixOrderError, match="give batch_size to the MixStream"):
            next(batches)
        stop(batches)
        with pytest.raises(ArgumentError, match="`batch_size` expected the batch size"):
            stream.shard(2, 0)

    def test_a_loader_of_another_batch_size(self) -> None:
        stream = make_stream()
        stream.check_loader(DataLoader(stream, 3))
        for unfit in (DataLoader(stream, 3, num_workers=2), DataLoader(stream.shard(2, 0), 3)):
            with pytest.raises(MixOrderError, match="give batch_size=3 to the MixStream"):
                unfit.dataset.check_loader(unfit)

    def test_workers_that_do_not_wait_for_each_other(self) -> None:
        stream = make_stream()
        stream.check_loader(DataLoader(stream, 4, num_workers=1, in_order=False))
        with pytest.raises(MixOrderError, match="leave in_order=True"):
            stream.check_loader(DataLoader(stream, 4, num_workers=2, in_order=False))

    def test_two_ways_of_sharing_out_at_once(self) -> None:
        part = make_stream().shard(2, 0)
        with pytest.raises(MixOrderError, match="rows went missing"):
            part.check_loader(DataLoader(IterableDatasetShard(part, 4, False, 2, 0), 4))

    def test_processes_that_all_read_everything(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("RANK", "1")
        stream = make_stream()
        with pytest.raises(MixOrderError, match=r"give each process stream\.shard"):
            list(stream)
        assert len(list(stream.shard(1, 0))) == 96

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"length": 0}, "`length` expected a whole number"),
            ({"block_size": 0}, "`block_size` expected a whole number"),
            ({"shuffle_buffer": 0}, "`shuffle_buffer` expected a whole number"),
            ({"batch_size": 0}, "`batch_size` expected a whole number"),
            ({"max_repeats": 0}, "`max_repeats` expected a whole number"),
            ({"seed": -1}, "`seed` expected a whole number"),
            ({"generation_decay": 0}, "`generation_decay` expected a number above 0"),
            ({"human_fraction": 1.5}, "`human_fraction` expected a number from 0 to 1"),
            ({"human_fraction": "golden"}, "`human_fraction` expected a share"),
            ({"human_fraction": [(0.5, 1), (1, 0.3)]}, "`length` expected a number of slots"),
            ({"human": iter(())}, "`human` expected rows that can be read by number"),
            ({"human": 3}, "`human` expected rows that can be read by number"),
            ({"human": Source(Rows(1, 9), "synthetic", "human")}, "expected a name of its own"),
            (
                {"human": Source(Rows(1, 9), "a", "human", when_dry="human")},
                "`when_dry` expected 'error' or 'stop'",
            ),
            ({"human": Source(Rows(1, 9), "a", "human", quality=[1.0])}, "`quality` expected None"),
        ],
    )
    def test_arguments_that_cannot_work(self, settings: dict[str, Any], message: str) -> None:
        with pytest.raises(ArgumentError, match=message):
            make_stream(**settings)

    def test_columns_that_differ(self) -> None:
        human, _ = make_sources("datasets")
        with pytest.raises(
            ArgumentError, match=r"human rows have \['number'\], .* have \['text'\]"
        ):
            make_stream(human, [{"mark": 1, "text": "a"}])

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


def test_a_worker_s_pass_is_no_other_worker_s() -> None:
    human, synthetic = make_sources("datasets")
    mine, other = (make_stream(human, synthetic, length=16) for _ in range(2))
    reading = iter(mine)
    rows = [next(reading)]
    # Another reader of the same Hugging Face stream goes on to its next pass meanwhile.
    list(other)
    human.set_epoch(7)
    rows += list(reading)
    assert rows == list(make_stream(*make_sources("datasets"), length=16))


class TestHandOver:
    def test_what_it_shows_is_reported_where_the_rows_are_counted(self) -> None:
        few = Source([(SYNTHETIC, n) for n in range(10)], "few", "synthetic", when_dry="human")
        stream = make_stream(Rows(HUMAN, 400), few, length=80, max_repeats=1)
        kinds = Counter(kind for kind, _ in stream)
        report = stream.report(80)
        assert {each.name: each.shown for each in report.sources} == {
            "human": kinds[HUMAN],
            "few": kinds[SYNTHETIC],
        }
        assert report.is_exact

    def test_limits_that_it_would_break_are_refused(self) -> None:
        floor = Source(Rows(SYNTHETIC, 9), "few", "synthetic", min_fraction=0.1, when_dry="human")
        with pytest.raises(ArgumentError, match="`when_dry`"):
            make_stream(None, floor)
        capped = Source(Rows(HUMAN, 9), "wiki", "human", max_fraction=0.5)
        dry = Source(Rows(SYNTHETIC, 9), "few", "synthetic", when_dry="human")
        with pytest.raises(ArgumentError, match="`max_fraction`"):
            make_stream([capped, Source(Rows(HUMAN, 9), "news", "human")], dry)
