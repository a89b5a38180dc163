"""How rare the contents of rows are, whether they are token ids or texts."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from collapse_guard.audit.leaks import encoder
from collapse_guard.errors import bad_argument
from collapse_guard.human_text.reference import HumanReference
from collapse_guard.human_text.tokenizer import Tokenizer
from collapse_guard.rows.column import Column
from collapse_guard.rows.map_rows import Rows, RowSource
from collapse_guard.rows.token_rarity import row_rarity
from collapse_guard.rows.token_rows import TokenRows

_IDS = "input_ids"


def contents_rarity(
    rows: Rows,
    reference: HumanReference,
    *,
    column: str | None = None,
    tokenizer: Tokenizer | None = None,
) -> npt.NDArray[np.float32]:
    """The mean self-information of each row's rarest tokens, as `MixGuard` ranks rows by.

    Args:
        rows: Token ids or texts.
        reference: Says what is rare.
        column: Its name; None for "input_ids" or, where there is none, "text".
        tokenizer: The reference's, where rows are texts.

    Returns:
        float32 of shape (rows,), in bits; 0 for empty rows.

    Raises:
        ArgumentError: No such column, or texts without a tokenizer.
        TokenizerMismatchError: The tokenizer, or token ids, are not the reference's.

    Example:
        >>> reference = HumanReference.from_token_ids([[0] * 7, [1]], vocab_size=2)
        >>> contents_rarity([[0, 0], [0, 1]], reference)
        array([0.32192808, 2.321928  ], dtype=float32)
    """
    own = Column(rows, "rows", "human", column)
    if own.is_text and tokenizer is None:
        raise bad_argument(
            "tokenizer",
            expected="the tokenizer of the reference, since the rows are texts",
            given=None,
            hint="give it",
        )
    if tokenizer is not None:
        reference.check_tokenizer(tokenizer)
    return row_rarity(RowSource("rows", _TokenizedRows(own, tokenizer)), reference, column=_IDS)


class _TokenizedRows:
    """Rows as mappings with token ids, tokenized as they are read."""

    def __init__(self, column: Column, tokenizer: Tokenizer | None) -> None:
        self._column = column
        self._encode = None if tokenizer is None else encoder(tokenizer)

    def __len__(self) -> int:
        return len(self._column)

    def __getitem__(self, index: int, /) -> Any:
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[dict[str, npt.NDArray[np.int64]]]:
        contents = self._column.read(indices)
        if not isinstance(contents, TokenRows):
            if self._encode is None:
                raise TypeError("texts need a tokenizer")
            contents = self._encode(contents)
        return [{_IDS: ids} for ids in contents.split()]
