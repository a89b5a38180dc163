"""Turns batches of a mixed stream into tensors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from collapse_guard.arguments import listed, understood
from collapse_guard.errors import bad_argument
from collapse_guard.model.inputs import IGNORED_LABEL
from collapse_guard.rows.schema import hint_for_columns
from collapse_guard.rows.token_batch import TokenBatch, Tokens


@dataclass(frozen=True)
class MixCollator:
    """Collates rows of equally many tokens: `DataLoader(guard, collate_fn=MixCollator())`.

    Where all sources are Hugging Face data sets of whole numbers, lists of them, and text,
    `MixGuard` copies the numbers of a batch out of the Arrow buffers, one matrix a column, and
    this collator takes the matrices as they are: no row of Python objects is ever made. Other rows
    are stacked. Columns of text are left out, as a model has no use for them. Nothing is padded:
    for rows of several lengths take the framework's own collator, which `MixGuard` serves as any
    data set does.

    The Trainer takes all rows apart, to drop columns that the model does not know, unless it is
    told `TrainingArguments(remove_unused_columns=False)`: set that for the fast way through.

    Attributes:
        labels: Whether to add `labels` for causal language models: the `input_ids`, and -100
            where an `attention_mask` is 0. Rows that have `labels` keep theirs.

    Example:
        >>> rows = [{"input_ids": [1, 2]}, {"input_ids": [3, 4]}]
        >>> MixCollator(labels=True)(rows)["labels"].tolist()
        [[1, 2], [3, 4]]
    """

    labels: bool = False

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, torch.Tensor]:
        """One tensor for each column.

        Args:
            rows: At least one, all with the same columns, as `MixGuard` gives them.

        Returns:
            Tensors of shape (n,) or (n, width) by column; int64 where the rows hold integers.

        Raises:
            ArgumentError: Rows are no mappings, have several sets of columns or lengths, or hold
                something that is neither text nor numbers; or there are no `input_ids` to make
                `labels` of.
        """
        columns = rows.unread_columns if isinstance(rows, TokenBatch) else None
        if columns is None:
            columns = _columns(rows)
        batch = {name: _tensor(name, values) for name, values in columns.items()}
        if self.labels and "labels" not in batch:
            batch["labels"] = _labels(batch)
        return batch


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    wanted = {
        "expected": "rows with column names, all with the same",
        "hint": "give another collate_fn, or rows that are mappings from column to value",
    }
    rows = listed("rows", rows, **wanted)
    with understood("rows", rows, **wanted):
        first = rows[0]
        if not isinstance(first, Mapping):
            raise bad_argument("rows", given=first, **wanted)
        for place, row in enumerate(rows):
            if row.keys() != first.keys():
                raise bad_argument(
                    "rows",
                    expected=f"the columns of row 0 {sorted(first)} in every row of a batch",
                    given=f"{sorted(row)} in row {place}",
                    hint=hint_for_columns("rows like row 0", first, f"rows like row {place}", row),
                )
        return {
            name: values for name in first if not _are_text(values := [row[name] for row in rows])
        }


def _are_text(values: Sequence[Any]) -> bool:
    """Whether a column is left out; one in which some are text and others are not, is refused."""
    if not isinstance(values[0], str | None):
        return False
    return any(isinstance(value, str) for value in values) and all(
        isinstance(value, str | None) for value in values
    )


def _tensor(name: str, values: Tokens) -> torch.Tensor:
    if isinstance(values, np.ndarray):
        return torch.from_numpy(values)
    if isinstance(values[0], torch.Tensor) and len({value.shape for value in values}) == 1:
        return torch.stack(values)
    try:
        array = np.array(values)
    except (TypeError, ValueError, RuntimeError):  # rows of several lengths, or of no numbers
        array = np.array(None)
    if array.dtype.kind not in "biuf":
        raise bad_argument(
            "rows",
            expected=f"a number, or equally many, in column {name!r} of every row",
            given=values,
            hint="remove the column, or give a collate_fn that tokenizes or pads, such as those of "
            "transformers",
        )
    return torch.from_numpy(array.astype(np.int64) if array.dtype.kind in "iu" else array)


def _labels(batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
    if "input_ids" not in batch:
        raise bad_argument(
            "labels",
            expected="rows with `input_ids`, where labels are to be made of them",
            given=sorted(batch),
            hint="leave out labels, or rename the column of token ids",
        )
    labels = batch["input_ids"].clone()
    if "attention_mask" in batch:
        labels[batch["attention_mask"] == 0] = IGNORED_LABEL
    return labels
