from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest

from collapse_guard import ArgumentError
from collapse_guard.integrations.ray.blocks import as_rows, checked_column, of_blocks
from tests.integrations.ray.blocks_of import blocks_of


class FirstAndLast:
    """Tells the first and the last row of a block, and how many there are."""

    def __init__(self, column: str) -> None:
        self._column = column

    def __call__(self, table: pa.Table) -> pa.Table:
        values = table.column(self._column).to_pylist()
        return pa.table({"first": values[:1], "last": values[-1:], "rows": [len(values)]})


@pytest.mark.cluster
@pytest.mark.slow
def test_each_block_is_worked_through_once_in_the_order_of_the_rows() -> None:
    cuts = [1, 2, 40, 41, 99]
    blocks = blocks_of("n", range(100), cuts)
    before = blocks.context.execution_options.preserve_order
    told = list(of_blocks(blocks, FirstAndLast, {"column": "n"}, {"num_cpus": 0.5}))
    borders = [0, *cuts, 100]
    assert told == [
        {"first": start, "last": stop - 1, "rows": stop - start}
        for start, stop in pairwise(borders)
    ]
    # What is asked of ours is not asked of what the user makes of the same data set.
    assert blocks.context.execution_options.preserve_order == before


@pytest.mark.cluster
@pytest.mark.slow
def test_the_column_is_named_or_guessed() -> None:
    texts = blocks_of("text", ["a"], [])
    assert checked_column("human", texts, None) == ("text", True)
    assert checked_column("human", blocks_of("input_ids", [[1]], []), None) == ("input_ids", False)
    with pytest.raises(ArgumentError, match="`column` expected one of the columns"):
        checked_column("human", texts, "words")
    with pytest.raises(ArgumentError, match=r"`human` expected a ray\.data\.Dataset"):
        checked_column("human", ["a"], None)


def test_rows_of_a_block_come_with_their_mask_and_nothing_else() -> None:
    table = pa.table({"input_ids": [[1, 2]], "attention_mask": [[1, 0]], "other": [3]})
    assert as_rows(table, "input_ids").column_names == ["input_ids", "attention_mask"]
    assert as_rows(table.drop_columns(["attention_mask"]), "other")[:] == {"other": [3]}


def test_tensors_are_lists() -> None:
    tensor = pytest.importorskip("ray.data.extensions").ArrowTensorArray
    table = pa.table({"input_ids": tensor.from_numpy(np.arange(6).reshape(2, 3))})
    assert as_rows(table, "input_ids")["input_ids"][:] == [[0, 1, 2], [3, 4, 5]]
