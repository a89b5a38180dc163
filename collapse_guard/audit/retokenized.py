"""Token ids that a sampler drew, told from those of a text that was tokenized anew."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from collapse_guard.human_text.token_rows import TokenRows
from collapse_guard.human_text.tokenizer import Tokenizer, encoded
from collapse_guard.rows.column import Column, Contents

_MOST_ROWS = 256
_FEWEST_TOKENS = 2000
"""A large model draws some of every hundred tokens off the way in which a text is tokenized."""


@dataclass(frozen=True)
class RetokenizedRows:
    """Rows whose token ids seem not to be those that were drawn.

    Attributes:
        source: Name of the source.
        rows: How many rows were looked at. Each of them is just what the tokenizer makes of its
            text.
        tokens: Tokens of these rows.
    """

    source: str
    rows: int
    tokens: int


def find_retokenized(column: Column, tokenizer: Tokenizer) -> RetokenizedRows | None:
    """Whether rows were tokenized anew since they were drawn.

    A model that draws token by token writes "un" and "til" now and then where its tokenizer has
    "until". A text that is tokenized anew has lost this, so that every row of it comes back the
    same from decoding and encoding. A decoding has no meaning for such ids: they are not what a
    sampler has drawn, and with another tokenizer not even of the types that it had cut.

    Args:
        column: Of token ids. Up to 256 of its rows are looked at, at even distances.
        tokenizer: Of the model that drew them. One without `decode` tells nothing.

    Returns:
        None where some row is not what the tokenizer makes of its text, where there are fewer than
        2,000 tokens, or where nothing can be told.
    """
    decode = getattr(tokenizer, "decode", None)
    if decode is None or column.is_text:
        return None
    chosen = np.unique(np.linspace(0, len(column) - 1, _MOST_ROWS).round().astype(np.int64))
    rows = _ids(column.read(chosen.tolist()))
    if len(rows.ids) < _FEWEST_TOKENS:
        return None
    for ids in rows.split():
        if encoded(tokenizer, _text(decode, ids.tolist())) != ids.tolist():
            return None
    return RetokenizedRows(column.name, len(rows.lengths), len(rows.ids))


def _ids(contents: Contents) -> TokenRows:
    if not isinstance(contents, TokenRows):
        raise TypeError("texts have no ids")
    return contents


def _text(decode: Any, ids: list[int]) -> str:
    try:
        # `tokenizers` leaves special tokens out unless it is told, transformers keeps them.
        text: str = decode(ids, skip_special_tokens=False)
    except TypeError:
        text = decode(ids)
    return text
