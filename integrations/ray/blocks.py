"""Blocks of a Ray data set, what they hold, and what is made of each in the order of the rows."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pyarrow as pa

from collapse_guard.errors import bad_argument
from collapse_guard.extras import require
from collapse_guard.human_text.left_out import MASK_COLUMN
from collapse_guard.rows.column import choose_column


class BlockColumn(NamedTuple):
    """The column of a Ray data set that is looked at.

    Attributes:
        name: Of it.
        is_text: Whether it holds texts; else token ids.
    """

    name: str
    is_text: bool


def checked_column(argument: str, dataset: Any, column: str | None) -> BlockColumn:
    """The column of texts or token ids of a Ray data set.

    Args:
        argument: What the data set is called, for errors.
        dataset: A `ray.data.Dataset`.
        column: Its name; None for "input_ids" or, where there is none, "text".

    Raises:
        ArgumentError: It is no data set of Ray, or has no such column.
        MissingExtraError: Ray is not installed.
    """
    if not isinstance(dataset, require("ray.data", "ray").Dataset):
        raise bad_argument(
            argument,
            expected="a ray.data.Dataset",
            given=dataset,
            hint="read it with ray.data, such as ray.data.read_parquet(path)",
        )
    schema = dataset.schema()
    types = {} if schema is None else dict(zip(schema.names, schema.types, strict=True))
    name = str(choose_column(types, column, argument))
    return BlockColumn(name, str(types[name]) in ("string", "large_string"))


def mapped(
    dataset: Any, step: type[Any], settings: Mapping[str, Any], options: Mapping[str, Any]
) -> Any:
    """A data set of what a step makes of each block, lazy as all are.

    Args:
        dataset: A `ray.data.Dataset`.
        step: A class; made once in each worker, and called with each block as a `pyarrow.Table`,
            of which it makes another.
        settings: What it is made with.
        options: Of `Dataset.map_batches`, such as `num_cpus` or `compute`.
    """
    return dataset.map_batches(
        step,
        batch_size=None,
        batch_format="pyarrow",
        fn_constructor_kwargs=dict(settings),
        **options,
    )


def of_blocks(
    dataset: Any, step: type[Any], settings: Mapping[str, Any], options: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """What a step makes of each block, in the order of the rows.

    Where a worker dies, Ray starts another one and has it make again what is lost, so that each
    block counts once.

    Args:
        dataset: As of `mapped`, as are the others.
        step: It makes a table of one row.
        settings: What it is made with.
        options: Of `Dataset.map_batches`.
    """
    made = mapped(dataset, step, settings, options)
    # Shared with the data set that was given, and with all that is made of it.
    execution = made.context.execution_options
    before = execution.preserve_order
    execution.preserve_order = True
    try:
        yield from made.iter_rows()
    finally:
        execution.preserve_order = before


def as_state(state: Mapping[str, Any]) -> pa.Table:
    """What a step has counted, in plain JSON types, as a table of one row: `state`."""
    return pa.table({"state": pa.array([json.dumps(state)], pa.large_string())})


def as_rows(table: pa.Table, column: str) -> Any:
    """The contents of a block as a `datasets.Dataset`, without a copy.

    Args:
        table: The block.
        column: Of texts or token ids; an `attention_mask` comes with them.
    """
    names = [name for name in (column, MASK_COLUMN) if name in table.column_names]
    columns = {name: _as_lists(table.column(name)) for name in names}
    # Given, so that no content is hashed for one.
    return require("datasets", "ray").Dataset(pa.table(columns), fingerprint="block")


def _as_lists(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Ray keeps arrays of one length as tensors, which hold lists."""
    if not isinstance(values.type, pa.ExtensionType):
        return values
    return pa.chunked_array([chunk.storage for chunk in values.chunks])
