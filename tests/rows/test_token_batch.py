"""A list like any other, that is made only when somebody looks."""

import copy
import json
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from collapse_guard.rows.token_batch import TokenBatch

ROWS = [{"a": [1, 2], "t": "x"}, {"a": [3, 4], "t": "y"}, {"a": [5, 6], "t": "z"}]


def make_batch() -> TokenBatch:
    columns = {"a": np.array([[1, 2], [3, 4], [5, 6]])}
    return TokenBatch(columns, row_format=None, read_others=lambda: {"t": ["x", "y", "z"]})


LOOKS: dict[str, Callable[[list[Any]], Any]] = {
    "iter": lambda batch: [row for row in batch],  # noqa: C416
    "list": list,
    "tuple": tuple,
    "unpack": lambda batch: [*batch],
    "call": lambda batch: (lambda *rows: rows)(*batch),
    "slice": lambda batch: batch[1:],
    "last": lambda batch: batch[-1],
    "equal to its like": lambda batch: batch == make_batch(),
    "added to its like": lambda batch: batch + make_batch(),
    "equal": lambda batch: batch == ROWS,
    "equal from the right": lambda batch: ROWS == batch,  # noqa: SIM300
    "unequal": lambda batch: batch != ROWS,
    "contains": lambda batch: ROWS[1] in batch,
    "index": lambda batch: batch.index(ROWS[2]),
    "reversed": lambda batch: list(reversed(batch)),
    "repr": repr,
    "add": lambda batch: batch + [1],  # noqa: RUF005
    "add from the left": lambda batch: [1] + batch,  # noqa: RUF005
    "sorted": lambda batch: sorted(batch, key=lambda row: -row["a"][0]),
    "map": lambda batch: list(map(str, batch)),
    "zip": lambda batch: list(zip(batch, range(3), strict=True)),
    "copy": lambda batch: batch.copy(),
    "copy module": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda batch: pickle.loads(pickle.dumps(batch)),
    "json": json.dumps,
    "numpy": lambda batch: np.array(batch, dtype=object).tolist(),
    "pyarrow": lambda batch: pa.Table.from_pylist(batch).to_pylist(),
    "extend": lambda batch: (lambda rows: (rows.extend(batch), rows))([])[1],
    "append": lambda batch: (batch.append(1), list(batch))[1],
    "pop": lambda batch: (batch.pop(0), list(batch)),
    "set": lambda batch: (batch.__setitem__(0, 1), list(batch))[1],
    "delete": lambda batch: (batch.__delitem__(0), list(batch))[1],
    "iadd": lambda batch: batch.__iadd__([1]),
}


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS.keys())
def test_it_looks_like_the_list_of_its_rows(look: Callable[[list[Any]], Any]) -> None:
    assert look(make_batch()) == look(copy.deepcopy(ROWS))


def test_rows_are_made_at_the_first_look_and_once() -> None:
    reads = []

    def read_others() -> dict[str, list[str]]:
        reads.append(1)
        return {"t": ["x"]}

    batch = TokenBatch({"a": np.array([[1]])}, row_format=None, read_others=read_others)
    assert (len(batch), bool(batch), reads) == (1, True, [])
    assert batch.unread_columns is not None
    assert batch[0] is batch[0]
    assert reads == [1]
    assert batch.unread_columns is None


def test_code_that_looks_past_the_list_finds_no_row_to_mistake() -> None:
    with pytest.raises(pa.ArrowInvalid, match="a row that was not read"):
        pa.array(make_batch())
