"""How rare the contents of a row are, under the human reference."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from collapse_guard.errors import bad_argument
from collapse_guard.human_text.reference import HumanReference
from collapse_guard.rows.map_rows import RowSource

_MASK = "attention_mask"


def row_rarity(
    source: RowSource, reference: HumanReference, *, column: str, rarest_share: float = 0.1
) -> npt.NDArray[np.float32]:
    """The mean self-information of each row's rarest tokens.

    Rare contents are a few words in a sea of common ones: a mean over all tokens would hide them,
    and a maximum would rank rows by one accident.

    Args:
        source: Rows with a column of token ids. Where they have an `attention_mask` too, tokens
            that it masks out do not count: padding never occurs in human text, and would look
            like the rarest token of all.
        reference: Says what is rare.
        column: Name of the column with the token ids.
        rarest_share: Share of a row's tokens that are its rarest, in (0, 1]; rounded down, and at
            least one token.

    Returns:
        float32 of shape (rows,), in bits. 0 for a row without tokens.

    Raises:
        ArgumentError: The column is missing or does not hold token ids.
        TokenizerMismatchError: A token id is not in the reference's vocabulary.
    """
    columns = source.columns()
    if columns is None or column not in columns:
        raise bad_argument(
            "column",
            expected=f"one of the human rows' columns {sorted(columns or [])}",
            given=column,
            hint="name the column that holds the token ids, or leave out rare_boost",
        )
    tokens_only = source.narrowed([name for name in (column, _MASK) if name in columns])
    rarity = np.zeros(len(source), dtype=np.float32)
    for start, rows in tokens_only.batches():
        documents = [_token_ids(row, column) for row in rows]
        reference.check_ids(np.concatenate(documents))
        rarity[start : start + len(rows)] = _rarest_means(
            documents, reference.self_information, rarest_share
        )
    return rarity


def _token_ids(row: Any, column: str) -> npt.NDArray[np.int64]:
    ids = np.asarray(row[column])
    if ids.ndim != 1 or (ids.size and not np.issubdtype(ids.dtype, np.integer)):
        raise bad_argument(
            "column",
            expected="a column with a list of token ids in each row",
            given=row[column],
            hint="name the column that holds the token ids, e.g. 'input_ids'",
        )
    if _MASK in row:
        ids = ids[np.asarray(row[_MASK]).astype(bool)]
    return ids.astype(np.int64)


def _rarest_means(
    documents: Sequence[npt.NDArray[np.int64]],
    self_information: npt.NDArray[np.float64],
    rarest_share: float,
) -> npt.NDArray[np.float64]:
    lengths = np.array([len(document) for document in documents])
    width = max(int(lengths.max()), 1)
    information = np.zeros((len(documents), width))
    # Self-information is above 0, so that the zeros beyond a row's end sort behind its tokens.
    information[np.arange(width) < lengths[:, None]] = self_information[np.concatenate(documents)]
    rarest_first = -np.sort(-information, axis=1)
    num_rarest = np.maximum((lengths * rarest_share).astype(np.int64), 1)
    sums = np.cumsum(rarest_first, axis=1)[np.arange(len(documents)), num_rarest - 1]
    means: npt.NDArray[np.float64] = sums / num_rarest
    return means
