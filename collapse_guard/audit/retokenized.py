"""Token ids that a sampler drew, told from those of a text that was tokenized anew."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from collapse_guard.human_text.left_out import MASK_COLUMN
from collapse_guard.human_text.tokenizer import Tokenizer, encoded
from collapse_guard.model.decoding_columns import DRAWN_MASK_COLUMN
from collapse_guard.rows.row_source import RowSource
from collapse_guard.spacing import evenly_spaced

_MOST_ROWS = 256
_FEWEST_TOKENS = 2000

_MOST_STRANGE = 1 / 1000
"""Of so many tokens at most one run is strange where a text was tokenized anew.

Large models draw some of every hundred tokens off the way in which their tokenizer goes.
"""

_EDGE = 8
"""Tokens at either end of a run, where a text that was cut, or joined to another, may differ."""


@dataclass(frozen=True)
class RetokenizedRows:
    """Rows whose token ids seem not to be those that were drawn.

    Attributes:
        source: Name of the source.
        rows: How many rows were looked at. Their ids are just what the tokenizer makes of their
            text.
        tokens: Drawn tokens of these rows, but for those at the ends.
    """

    source: str
    rows: int
    tokens: int


def find_retokenized(source: RowSource, tokenizer: Tokenizer) -> RetokenizedRows | None:
    """Whether rows were tokenized anew since they were drawn.

    A model that draws token by token writes "un" and "til" now and then where its tokenizer has
    "until". A text that is tokenized anew has lost this: what stands between two drawn ends of it
    comes back the same from decoding and encoding. A decoding has no meaning for such ids: they are
    not what a sampler has drawn, and with another tokenizer not even of the types that it had cut.

    Args:
        source: Rows with `input_ids`, and where it is there `drawn_mask`, 1 where a token was
            drawn. Up to 256 of them are looked at, at even distances.
        tokenizer: Of the model that drew them. One without `decode` tells nothing.

    Returns:
        None where more than one in 1,000 tokens stands for a run that is not what the tokenizer
        makes of its text, where there are fewer than 2,000 tokens, or where nothing can be told.
    """
    decode = getattr(tokenizer, "decode", None)
    if decode is None or "input_ids" not in (source.columns() or {}):
        return None
    chosen = np.unique(evenly_spaced(_MOST_ROWS, len(source)))
    tokens, strange = 0, 0
    for row in source.read(chosen.tolist()):
        for run in _drawn_runs(row):
            middle = run[_EDGE:-_EDGE]
            if middle:
                tokens += len(middle)
                strange += not _is_within(middle, encoded(tokenizer, _text(decode, run)))
    if tokens < _FEWEST_TOKENS or strange > tokens * _MOST_STRANGE:
        return None
    return RetokenizedRows(source.name, len(chosen), tokens)


def _drawn_runs(row: Mapping[str, Any]) -> Iterator[list[int]]:
    """Drawn tokens that stand side by side."""
    ids = np.asarray(row["input_ids"]).tolist()
    drawn = np.ones(len(ids), dtype=bool)
    for name in (DRAWN_MASK_COLUMN, MASK_COLUMN):
        if row.get(name) is not None:
            drawn &= np.asarray(row[name]) != 0
    for is_drawn, run in groupby(zip(ids, drawn.tolist(), strict=True), key=lambda pair: pair[1]):
        if is_drawn:
            yield [token for token, _ in run]


def _is_within(part: list[int], ids: list[int]) -> bool:
    return any(
        ids[start : start + len(part)] == part
        for start in range(len(ids) - len(part) + 1)
        if ids[start] == part[0]
    )


def _text(decode: Any, ids: list[int]) -> str:
    try:
        # `tokenizers` leaves special tokens out unless it is told, transformers keeps them.
        text: str = decode(ids, skip_special_tokens=False)
    except TypeError:
        text = decode(ids)
    return text
