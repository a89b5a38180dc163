"""Streams that say what of them was read, and readers of a mixed stream, as loaders are."""

import json
from collections.abc import Callable, Iterator
from copy import copy
from itertools import chain, islice
from typing import Any, NamedTuple
from unittest import mock

import datasets
from hypothesis import strategies as st

from collapse_guard.mixing.stream import MixStream
from collapse_guard.statistics.json_forms import Part

HUMAN, SYNTHETIC = 1, 2


class Noted:
    """A cursor that notes what its state is held against."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, int, int | None]] = []

    def check_state(self, state: Part, *, drawn: int, furthest: int | None) -> None:
        self.told.append((state.value, drawn, furthest))


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


def states_on_the_way(stream: MixStream) -> tuple[list[Any], list[Any]]:
    """All rows of a stream, and its states, as files hold them, before each and after the last."""
    rows, states = [], [stream.state_dict()]
    for row in stream:
        rows.append(row)
        states.append(json.loads(json.dumps(stream.state_dict())))
    return rows, states


def batches_of(workers: int, begin: Callable[[], Iterator[Any]], size: int) -> list[list[Any]]:
    """The batches of one process, whose workers take turns as torch's loaders let them."""

    def batches(worker: int) -> Iterator[list[Any]]:
        name = "collapse_guard.mixing.streaming.dealt_reader.get_worker_info"
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
