"""How many tokens a row has, and on how many of them a model is trained."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from collapse_guard.arguments import understood
from collapse_guard.errors import ArgumentError, bad_argument
from collapse_guard.human_text.left_out import MASK_COLUMN
from collapse_guard.human_text.token_rows import TokenRows
from collapse_guard.model.inputs import IGNORED_LABEL
from collapse_guard.rows.marks import LOSS_MASKS
from collapse_guard.rows.row_source import Columns, RowSource

Counts = npt.NDArray[np.int32]
Lengths = str | Callable[[Any], int]
"""Which column of rows says how many tokens they are trained on; or a function from row to that."""

_ROWS_AT_A_TIME = 1024
_MOST = 2**31 - 1


def trained_tokens(source: RowSource, lengths: Lengths | None = None) -> Counts:
    """How many tokens of each row a causal language model is trained on.

    Where rows have `labels`, these are the labels that are not -100. Where they have none, they are
    the `input_ids`, but for those where an `attention_mask`, a `completion_mask` or
    `assistant_masks` is 0. The first token of a row is none of them: nothing stands before it, from
    which it could be predicted.

    Args:
        source: The rows.
        lengths: The column that says it, or a function from row to number, for rows of another
            kind; None to count.

    Returns:
        int32 of shape (rows,).

    Raises:
        ArgumentError: Rows have neither `labels` nor `input_ids` and `lengths` is not given, masks
            do not fit the tokens, or a number is no whole number from 0.

    Example:
        >>> rows = [{"labels": [-100, -100, 7]}, {"labels": []}]
        >>> trained_tokens(RowSource("wiki", rows)).tolist()
        [1, 0]
    """
    if lengths is not None:
        return _given(source, lengths)
    columns = source.columns() or {}
    if "labels" in columns:
        reads = _Reads("labels", ())
    elif "input_ids" in columns:
        masks = [name for name in (MASK_COLUMN, *LOSS_MASKS) if name in columns]
        reads = _Reads("input_ids", tuple(masks))
    else:
        raise _no_tokens(source.name, columns)
    return _counted(source, reads, leaves_out_first=True)


def row_tokens(source: RowSource) -> Counts:
    """How many tokens each row has, without those that an `attention_mask` masks out.

    Returns:
        int32 of shape (rows,).

    Raises:
        ArgumentError: Rows have no `input_ids`, or masks do not fit them.

    Example:
        >>> row_tokens(RowSource("wiki", [{"input_ids": [5, 6, 7]}, {"input_ids": []}])).tolist()
        [3, 0]
    """
    columns = source.columns() or {}
    if "input_ids" not in columns:
        raise bad_argument(
            source.name,
            expected="rows with `input_ids`",
            given=sorted(map(str, columns)),
            hint="tokenize the rows before they are mixed",
        )
    masks = (MASK_COLUMN,) if MASK_COLUMN in columns else ()
    return _counted(source, _Reads("input_ids", masks), leaves_out_first=False)


@dataclass(frozen=True)
class _Reads:
    """The columns that tokens are counted in: a token counts where no mask is 0."""

    tokens: str
    masks: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        return self.tokens, *self.masks


def _counted(source: RowSource, reads: _Reads, *, leaves_out_first: bool) -> Counts:
    counts = np.zeros(len(source), dtype=np.int32)
    for start, columns in _batches(source, reads.columns):
        tokens, *masks = columns
        counted = tokens.ids != IGNORED_LABEL
        for mask in masks:
            if not np.array_equal(mask.lengths, tokens.lengths):
                raise bad_argument(
                    source.name,
                    expected=f"as many values in {', '.join(reads.masks)} as `{reads.tokens}` in "
                    "each row",
                    given="other numbers of them",
                    hint="make them with one call of the tokenizer",
                )
            counted &= mask.ids != 0
        ends = np.cumsum(tokens.lengths)
        starts = ends - tokens.lengths
        if leaves_out_first:
            counted[starts[tokens.lengths > 0]] = False
        before = np.concatenate([[0], np.cumsum(counted)])
        counts[start : start + len(ends)] = before[ends] - before[starts]
    return counts


def _batches(source: RowSource, columns: Sequence[str]) -> Iterator[tuple[int, list[TokenRows]]]:
    """Some columns of all rows, some rows at a time, with the number of the first of them."""
    table = source.in_arrow(columns)
    for start in range(0, len(source), _ROWS_AT_A_TIME):
        stop = min(start + _ROWS_AT_A_TIME, len(source))
        if table is not None:
            piece = table[start:stop]
            yield start, [TokenRows.of_arrow(piece.column(name)) for name in columns]
            continue
        rows = source.read(range(start, stop))
        yield start, [TokenRows.of([_values(row, name) for row in rows]) for name in columns]


def _values(row: Any, column: str) -> Any:
    wanted: dict[str, Any] = {
        "expected": "a list of whole numbers in each row",
        "hint": "tokenize the text; a row without tokens has an empty list",
    }
    with understood(column, row, **wanted):
        given = row[column]
        values = np.asarray([] if given is None else given)
    if values.ndim != 1 or (values.size and values.dtype.kind not in "iub"):
        raise bad_argument(column, given=given, **wanted)
    return values


def _given(source: RowSource, lengths: Any) -> Counts:
    wanted: dict[str, Any] = {
        "expected": f"a whole number from 0 to {_MOST} for each row of {source.name!r}",
        "hint": "give the number of tokens that the row is trained on",
    }
    if not (callable(lengths) or isinstance(lengths, str)):
        raise bad_argument(
            "lengths",
            expected="the name of a column, or a function from row to number",
            given=lengths,
            hint='give lengths="num_tokens", or leave it out where rows have `input_ids`',
        )
    columns = source.columns() or {}
    if isinstance(lengths, str):
        if lengths not in columns:
            raise bad_argument(
                "lengths",
                expected=f"one of the columns {sorted(map(str, columns))} of source "
                f"{source.name!r}",
                given=lengths,
                hint="name the column that says how many tokens of a row are trained on",
            )
        source, name = source.narrowed([lengths], in_numpy=False), lengths
    counts = np.zeros(len(source), dtype=np.int32)
    for start, rows in source.batches():
        for place, row in enumerate(rows, start):
            with understood("lengths", row, **wanted):
                given = lengths(row) if callable(lengths) else row[name]
                number = float(given)
            if not 0 <= number <= _MOST or number != int(number):
                raise bad_argument("lengths", given=given, **wanted)
            counts[place] = int(number)
    return counts


def _no_tokens(name: str, columns: Columns) -> ArgumentError:
    return bad_argument(
        "unit",
        expected=f"tokenized rows (a column `labels` or `input_ids`) in source {name!r}, "
        'or their `lengths`, where unit="tokens"',
        given=sorted(map(str, columns)) or "rows without column names",
        hint="tokenize the rows before they are mixed, or add a column that says how many tokens "
        'of each row are trained on and name it: lengths="num_tokens"',
    )
