"""One pack: rows end to end, each a segment of its own."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from collapse_guard.arguments import understood
from collapse_guard.errors import bad_argument
from collapse_guard.human_text.left_out import MASK_COLUMN
from collapse_guard.model.inputs import IGNORED_LABEL
from collapse_guard.rows.marks import LOSS_MASKS

Ids = npt.NDArray[np.int64]
Segment = tuple[Ids, Ids]
"""Tokens and labels of a row, int64 of one shape each."""

_WANTED: dict[str, Any] = {
    "expected": "rows with `input_ids`, and with masks and `labels` that are as long",
    "hint": "tokenize the rows before they are mixed",
}


def segment_of(row: Any, most: int) -> Segment:
    """A row as it stands in a pack.

    Args:
        row: With `input_ids`. Where it has no `labels`, they are the `input_ids`, and -100 where a
            `completion_mask` or `assistant_masks` is 0. What an `attention_mask` masks out is left
            out.
        most: Tokens that are kept, from the first one on.

    Raises:
        ArgumentError: It has no `input_ids`, or a mask or labels of another length.

    Example:
        >>> ids, labels = segment_of({"input_ids": [5, 6, 0], "attention_mask": [1, 1, 0]}, 8)
        >>> ids.tolist(), labels.tolist()
        ([5, 6], [5, 6])
    """
    ids = _column(row, "input_ids", None)
    if ids is None:
        raise bad_argument("rows", given=row, **_WANTED)
    labels = _column(row, "labels", ids)
    if labels is None:
        labels = ids
        for name in LOSS_MASKS:
            mask = _column(row, name, ids)
            if mask is not None:
                labels = np.where(mask == 0, IGNORED_LABEL, labels)
    shown = _column(row, MASK_COLUMN, ids)
    if shown is not None:
        ids, labels = ids[shown != 0], labels[shown != 0]
    return ids[:most], labels[:most]


def pack_of(segments: Sequence[Segment]) -> dict[str, Any]:
    """Segments as one row.

    The first label of each is -100: nothing of its own stands before it, and what does, the end of
    another row, must not be what it is predicted from.

    Args:
        segments: As of `segment_of`; those without tokens are left out.

    Returns:
        `input_ids`, `labels` and `position_ids`, int64 of shape (tokens,), where positions begin at
        0 in each segment; and `seq_lengths`, a list of the segments' lengths.

    Example:
        >>> two = [segment_of({"input_ids": ids}, 8) for ids in ([5, 6, 7], [8, 9])]
        >>> {name: list(map(int, values)) for name, values in pack_of(two).items()}
        ... # doctest: +NORMALIZE_WHITESPACE
        {'input_ids': [5, 6, 7, 8, 9], 'labels': [-100, 6, 7, -100, 9],
         'position_ids': [0, 1, 2, 0, 1], 'seq_lengths': [3, 2]}
    """
    lengths = np.array([len(ids) for ids, _ in segments if len(ids)], dtype=np.int64)
    none = np.zeros(0, dtype=np.int64)
    labels = np.concatenate([none, *(labels for _, labels in segments)])
    starts = np.cumsum(lengths) - lengths
    labels[starts] = IGNORED_LABEL
    return {
        "input_ids": np.concatenate([none, *(ids for ids, _ in segments)]),
        "labels": labels,
        "position_ids": np.arange(len(labels)) - np.repeat(starts, lengths),
        "seq_lengths": lengths.tolist(),
    }


def _column(row: Any, name: str, ids: Ids | None) -> Ids | None:
    with understood("rows", row, **_WANTED):
        if not isinstance(row, Mapping) or row.get(name) is None:
            return None
        values = np.asarray(row[name])
    fits = values.ndim == 1 and (not values.size or values.dtype.kind in "iub")
    if not fits or (ids is not None and values.shape != ids.shape):
        raise bad_argument("rows", given=row, **_WANTED)
    return values.astype(np.int64)
