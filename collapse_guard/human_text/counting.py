"""Counting token ids, a large array at a time, since numpy is slow on many small ones."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any

import numpy as np
import numpy.typing as npt

from collapse_guard.arguments import members, understood
from collapse_guard.errors import bad_argument
from collapse_guard.human_text.left_out import unmasked
from collapse_guard.human_text.texts import check_documents
from collapse_guard.human_text.token_rows import TokenRows

Documents = Iterable[Sequence[int] | npt.NDArray[np.integer[Any]] | int]
"""Token ids, a document at a time or as one flat stream."""

_ROWS_AT_A_TIME = 10_000
_WANTED = {"expected": "integer token ids", "hint": "tokenize the text first"}


def count_types(documents: Documents, vocab_size: int) -> npt.NDArray[np.int64]:
    """How often each type occurs.

    Args:
        documents: Token ids.
        vocab_size: Number of types, at least 1.

    Returns:
        int64 of shape (vocab_size,).

    Raises:
        ArgumentError: They are no token ids, or one is negative or not below `vocab_size`.

    Example:
        >>> count_types([[0, 0, 2], [2]], vocab_size=4).tolist()
        [2, 0, 2, 0]
    """
    check_documents("documents", documents)
    counts = np.zeros(vocab_size, dtype=np.int64)
    for ids in _joined(documents):
        _add_counts(counts, ids)
    return counts


def column_blocks(
    dataset: Any, column: str, masked: dict[int, int]
) -> Iterator[npt.NDArray[np.integer[Any]]]:
    """The token ids of a column of a Hugging Face data set, out of its Arrow buffers.

    Args:
        dataset: A `datasets.Dataset`, or a stream that knows its columns.
        column: Of token ids, or of lists of them.
        masked: Takes in how often each id stands where a column `attention_mask` masks it out.

    Yields:
        Those of many rows, end to end, without what is masked out.

    Raises:
        ArgumentError: The column holds something else, or a mask is not as long as its row.
    """
    wanted = {
        "expected": "a Hugging Face data set",
        "hint": "give a datasets.Dataset, or HumanReference.from_token_ids its column",
    }
    with understood("dataset", dataset, **wanted):
        tables = dataset.with_format("arrow").iter(batch_size=_ROWS_AT_A_TIME)
    for table in members("dataset", tables, **wanted):
        with understood("dataset", dataset, **wanted):
            values = table.column(column)
        if str(values.type).startswith(("list", "large_list", "fix")):
            yield unmasked(table, TokenRows.of_arrow(values), masked)
        else:
            yield values.to_numpy()


def _joined(documents: Documents) -> Iterator[npt.NDArray[np.integer[Any]]]:
    """Integer arrays that are large enough for numpy to be worth calling."""
    stream = members("documents", documents, **_WANTED)
    for first in stream:
        if isinstance(first, np.ndarray) and first.size >= _ROWS_AT_A_TIME:
            # Large enough by itself: joining thousands of such would hold a whole corpus in memory.
            yield first
            continue
        rows = [first, *islice(stream, _ROWS_AT_A_TIME - 1)]
        if isinstance(rows[0], str):
            raise bad_argument("documents", given=rows[0], **_WANTED)
        with understood("documents", first, **_WANTED):
            ids = _as_array(rows)
        yield ids


def _as_array(rows: list[Any]) -> npt.NDArray[np.integer[Any]]:
    if isinstance(rows[0], int | np.integer):
        return np.asarray(rows)
    if isinstance(rows[0], np.ndarray):
        return np.concatenate(rows)
    return np.fromiter(chain.from_iterable(rows), dtype=np.int64)


def _add_counts(counts: npt.NDArray[np.int64], ids: npt.NDArray[np.integer[Any]]) -> None:
    if ids.size == 0:
        return
    if not np.issubdtype(ids.dtype, np.integer):
        raise bad_argument("documents", given=ids.dtype, **_WANTED)
    low, high = int(ids.min()), int(ids.max())
    if low < 0 or high >= len(counts):
        raise bad_argument(
            "documents",
            expected=f"token ids from 0 to {len(counts) - 1} (vocab_size={len(counts)})",
            given=low if low < 0 else high,
            hint="give vocab_size=len(tokenizer), which counts added tokens, and the tokenizer "
            "that made the ids",
        )
    counts += np.bincount(ids.ravel(), minlength=len(counts))
