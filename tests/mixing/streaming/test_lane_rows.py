from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, strategies as st

from collapse_guard.errors import ArgumentError
from collapse_guard.mixing.streaming.lane_rows import rows_of_lane, split_among_lanes
from collapse_guard.mixing.streaming.shard_chain import ShardChain
from collapse_guard.rows.row_source import RowSource
from tests.mixing.sharded import Shards
from tests.mixing.streams import HUMAN, Rows


def hugging_face(shards: int = 4) -> Any:
    rows = datasets.Dataset.from_dict({"n": list(range(40))})
    return rows.to_iterable_dataset(num_shards=shards)


@given(
    asked=st.lists(st.integers(0, 9), min_size=1, max_size=6).filter(any),
    parts=st.integers(6, 40),
    by_number=st.booleans(),
)
def test_each_part_is_one_lane_s_alone_and_shares_follow_the_draws(
    asked: list[int], parts: int, by_number: bool
) -> None:
    rows: Any = RowSource("rows", range(parts)) if by_number else Shards(HUMAN, 90, parts)
    split = split_among_lanes("rows", rows, asked)
    owned = [list(range(*part)) if by_number else list(part) for part in split]
    assert sorted(part for lane in owned for part in lane) == list(range(parts))
    for draws, lane in zip(asked, owned, strict=True):
        assert bool(lane) == bool(draws)
        assert abs(len(lane) - max(1, parts * draws / sum(asked))) < max(2, len(asked)) or not draws


def test_equal_lanes_have_equally_many_shards_spread_over_the_source() -> None:
    split = split_among_lanes("rows", Shards(HUMAN, 90, 12), [5, 5, 5, 5])
    assert split == [(0, 4, 8), (1, 5, 9), (2, 6, 10), (3, 7, 11)]


def test_what_a_lane_reads() -> None:
    rows = RowSource("rows", [f"row {number}" for number in range(9)])
    mine = rows_of_lane(rows, (3, 6))
    assert isinstance(mine, RowSource)
    assert mine.read([2, 0]) == ["row 5", "row 3"]
    assert (len(mine), mine.columns()) == (3, None)
    assert rows_of_lane(rows, (3, 3)) is None
    chain = rows_of_lane(Shards(HUMAN, 9, 3), (2,))
    assert isinstance(chain, ShardChain)
    assert [number for _, number in chain] == [2, 5, 8]
    assert rows_of_lane(Shards(HUMAN, 9, 3), ()) is None


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (Rows(HUMAN, 9), "`lanes` expected 1, as 'web' cannot be read in parts"),
        (Shards(HUMAN, 9, 3), "`lanes` expected at most 3, as 'web' is in 3 shards"),
        (RowSource("web", [1, 2]), "`lanes` expected at most 2, as 'web' is in 2 rows"),
        # Hugging Face would skip two rows of each shard, and the eight others are held out.
        (hugging_face().skip(8), "`web` expected a stream that has the same rows .* `skip`"),
        (hugging_face().take(8).map(lambda row: row), "`web` expected .* `take`"),
        (
            datasets.interleave_datasets([hugging_face(), hugging_face()]),
            "`web` expected .* `interleave_datasets`",
        ),
    ],
)
def test_what_cannot_be_split(rows: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        split_among_lanes("web", rows, [1, 1, 1, 1])


def test_a_lone_parquet_file_is_split_by_its_row_groups(tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"n": list(range(40))}), file, row_group_size=10)
    rows: Any = datasets.load_dataset(
        "parquet", data_files=str(file), split="train", streaming=True, cache_dir=str(tmp_path)
    )
    if not hasattr(rows, "reshard"):
        pytest.skip("this `datasets` takes a file whole")
    with pytest.raises(ArgumentError, match=r"at most 1, .* `\.reshard\(\)` has it for Parquet"):
        split_among_lanes("web", rows, [1, 1, 1, 1])
    finer = rows.reshard()
    split = split_among_lanes("web", finer, [1, 1, 1, 1])
    shown = [[row["n"] for row in rows_of_lane(finer, part) or ()] for part in split]
    assert sorted(map(tuple, shown)) == [tuple(range(10 * k, 10 * k + 10)) for k in range(4)]
