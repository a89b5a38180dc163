"""What every trial trains on: the same rows in the same batches and the same order."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from collapse_guard.errors import bad_argument
from collapse_guard.human_text.left_out import MASK_COLUMN
from collapse_guard.model.decoding_columns import DRAWN_MASK_COLUMN
from collapse_guard.model.inputs import IGNORED_LABEL
from collapse_guard.model.marked_labels import unmark_labels
from collapse_guard.rows.marks import LOSS_MASKS, marked_labels
from collapse_guard.rows.row_source import Rows, RowSource

IDS_COLUMN = "input_ids"

_READ = (IDS_COLUMN, "labels", MASK_COLUMN, DRAWN_MASK_COLUMN, *LOSS_MASKS)

Ids = npt.NDArray[np.int64]


class Batch(NamedTuple):
    """Rows of a training step, padded on the right.

    Attributes:
        input_ids: int64 of shape (rows, tokens), 0 on padding.
        labels: int64 of shape (rows, tokens): the ids, and -100 on padding and where the rows'
            own labels or masks keep a token out of the loss. Nothing is shifted.
        drawn: int64 of shape (rows, tokens): 1 where a sampler drew the token, 0 elsewhere.
        is_text: bool of shape (rows, tokens): False on padding.
    """

    input_ids: torch.Tensor
    labels: torch.Tensor
    drawn: torch.Tensor
    is_text: torch.Tensor

    def texts(self) -> list[Ids]:
        """The tokens of each row, without padding."""
        rows = zip(self.input_ids.numpy(), self.is_text.numpy(), strict=True)
        return [ids[is_text] for ids, is_text in rows]

    def parts(self, rows: int) -> list["Batch"]:
        """The batch in parts of at most so many rows, each no wider than its longest row."""
        cut = zip(*(each.split(rows) for each in self), strict=True)
        return [Batch(*part)._narrowed() for part in cut]

    def _narrowed(self) -> "Batch":
        width = max(int(self.is_text.sum(1).max()), 2)
        return Batch(*(each[:, :width] for each in self))


def make_lesson(rows: Rows, *, steps: int, batch_size: int, seed: int) -> list[Batch]:
    """Draw the batches of a number of steps.

    Rows come in a random order, and all of them before any comes again.

    Args:
        rows: Mappings with `input_ids`, and where it is there `attention_mask`, 0 on padding
            wherever that stands, and `drawn_mask`, 1 where the sampler drew the token. Labels are
            taken, or made, as a `MixGuard` does.
        steps: How many batches.
        batch_size: Rows of each.
        seed: Of the order.

    Raises:
        ArgumentError: Rows of another kind.

    Example:
        >>> rows = [{"input_ids": [5, 1]}, {"input_ids": [5, 2, 3], "drawn_mask": [0, 1, 0]}]
        >>> (batch,) = make_lesson(rows[1:], steps=1, batch_size=2, seed=0)
        >>> batch.drawn.tolist()
        [[0, 1, 0], [0, 1, 0]]
    """
    source = RowSource("rows", rows)
    columns = source.columns() or {}
    if IDS_COLUMN not in columns:
        raise bad_argument(
            "rows",
            expected=f"mappings with a column `{IDS_COLUMN}`",
            given=sorted(columns) or type(rows).__name__,
            hint='tokenize the text first: [{"input_ids": ids}, ...]',
        )
    wanted = [name for name in _READ if name in columns]
    order = _order(len(source), steps * batch_size, seed)
    read = source.narrowed(wanted).read(order.tolist())
    prepared = [_prepared(row, int(number)) for row, number in zip(read, order, strict=True)]
    return [
        _padded(prepared[first : first + batch_size])
        for first in range(0, len(prepared), batch_size)
    ]


def _order(num_rows: int, needed: int, seed: int) -> Ids:
    generator = np.random.default_rng(seed)
    passes = [generator.permutation(num_rows) for _ in range(-(-needed // num_rows))]
    return np.concatenate(passes)[:needed]


def _prepared(row: Mapping[str, Any], number: int) -> tuple[Ids, Ids]:
    """A row's tokens without its padding, and their labels, marked where they were drawn."""
    values = {name: _whole_numbers(row, name, number) for name in _READ if name in row}
    ids = values[IDS_COLUMN]
    lengths = {name: len(column) for name, column in values.items()}
    if len(set(lengths.values())) > 1:
        raise bad_argument(
            "rows",
            expected="as many values in each column as a row has tokens",
            given=f"{lengths} in row {number}",
            hint="make them with one call of the tokenizer",
        )
    text = values.get(MASK_COLUMN, np.ones_like(ids)) != 0
    return ids[text], marked_labels(values, 1)[text]


def _whole_numbers(row: Mapping[str, Any], name: str, number: int) -> Ids:
    values = np.asarray(row[name])
    if values.ndim != 1 or (values.size and values.dtype.kind not in "iub"):
        raise bad_argument(
            "rows",
            expected=f"a list of whole numbers in column `{name}` of each row",
            given=f"{row[name]!r} in row {number}",
            hint="tokenize the text first",
        )
    return values.astype(np.int64)


def _padded(rows: Sequence[tuple[Ids, Ids]]) -> Batch:
    width = max((len(ids) for ids, _ in rows), default=0)
    shape = len(rows), max(width, 2)
    # Any id that exists will do: what a causal model reads after a text changes nothing in it.
    input_ids = torch.zeros(shape, dtype=torch.int64)
    marked = torch.full(shape, IGNORED_LABEL)
    is_text = torch.zeros(shape, dtype=torch.bool)
    for place, (ids, labels) in enumerate(rows):
        input_ids[place, : len(ids)] = torch.from_numpy(ids)
        marked[place, : len(ids)] = torch.from_numpy(labels)
        is_text[place, : len(ids)] = True
    return Batch(input_ids, *unmark_labels(marked), is_text)
