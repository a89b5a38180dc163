"""Hundreds of Parquet files, read by some ranks, and gone on with by others."""

import json
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from collapse_guard import ArgumentError, MixStream
from tests.sizes import sized

SHARDS = sized(short=104, long=504)
ROWS = 6
LANES, BATCH = 8, 4
STOP = 20 * LANES * BATCH


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """Streams of human and of synthetic rows, each in as many Parquet files of 6 rows."""
    folder = tmp_path_factory.mktemp("shards")
    return [stream_of(folder / kind, kind) for kind in ("human", "synthetic")]


def stream_of(folder: Path, kind: str, rows: int = ROWS) -> Any:
    folder.mkdir()
    for shard in range(SHARDS):
        names = [f"{kind} {shard * rows + row}" for row in range(rows)]
        pq.write_table(pa.table({"name": names}), folder / f"{shard:04d}.parquet")
    files = str(folder / "*.parquet")
    loaded: Any = datasets.load_dataset(
        "parquet", data_files=files, split="train", streaming=True, cache_dir=str(folder / "cache")
    )
    assert loaded.num_shards == SHARDS
    return loaded


def mixed(sources: list[Any]) -> MixStream:
    return MixStream(
        *sources,
        human_fraction=0.5,
        block_size=BATCH,
        batch_size=BATCH,
        lanes=LANES,
        length=2 * SHARDS * ROWS,
        max_repeats=None,
    )


def shown(sources: list[Any], ranks: int, start: int, stop: int) -> tuple[list[str], list[Any]]:
    """The rows of a stretch of slots, as so many ranks read them, and the states of these."""
    read, states = [], []
    for rank in range(ranks):
        stream = mixed(sources).shard(ranks, rank)
        stream.resume_at(start)
        rows = iter(stream)
        read.append([next(rows)["name"] for _ in range((stop - start) // ranks)])
        states.append(stream.state_dict())
    # Ranks take portions of the batch size in turn.
    turns = [
        name
        for place in range(0, (stop - start) // ranks, BATCH)
        for rows in read
        for name in rows[place : place + BATCH]
    ]
    return turns, states


@pytest.mark.slow
def test_other_ranks_go_on_without_a_row_that_is_lost_or_comes_twice(sources: list[Any]) -> None:
    alone = [row["name"] for row in mixed(sources)]
    assert len(set(alone)) == len(alone) == 2 * SHARDS * ROWS
    first, _ = shown(sources, 4, 0, STOP)
    rest, _ = shown(sources, 2, STOP, len(alone))
    assert first + rest == alone
    for start in range(0, len(alone), BATCH):
        human = [name.startswith("human") for name in (first + rest)[start : start + BATCH]]
        assert sum(human) >= BATCH / 2


@pytest.mark.slow
def test_the_state_of_one_of_several_ranks_is_refused_by_another_number(sources: list[Any]) -> None:
    _, states = shown(sources, 4, 0, STOP)
    fewer = mixed(sources).shard(2, 0)
    fewer.load_state_dict(states[0])
    with pytest.raises(
        ArgumentError, match=r"reader 0 of 4, .*: resume .* with resume_at\(slots\)"
    ):
        next(iter(fewer))


@pytest.mark.slow
def test_a_state_is_no_larger_for_more_rows(sources: list[Any], tmp_path: Path) -> None:
    sizes = []
    for rows in (2, 60):
        kinds = [stream_of(tmp_path / f"{kind}-{rows}", kind, rows) for kind in ("a", "b")]
        stream = MixStream(
            *kinds,
            human_fraction=0.5,
            block_size=BATCH,
            batch_size=BATCH,
            lanes=LANES,
            length=2 * SHARDS * rows,
            max_repeats=None,
        )
        reading = iter(stream)
        for _ in range(SHARDS):
            next(reading)
        sizes.append(len(json.dumps(stream.state_dict())))
    assert sizes[1] < 1.05 * sizes[0]
