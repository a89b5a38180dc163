"""How rare the contents of rows are, whether they are token ids or texts."""

import numpy as np
import numpy.typing as npt

from collapse_guard.arguments import checked
from collapse_guard.errors import bad_argument
from collapse_guard.human_text.panel import A_REFERENCE
from collapse_guard.human_text.reference import HumanReference
from collapse_guard.human_text.tokenizer import Tokenizer
from collapse_guard.rows.column import Column, encoder
from collapse_guard.rows.row_source import Rows, RowSource
from collapse_guard.rows.token_rarity import token_rarity


@checked(reference=A_REFERENCE)
def row_rarity(
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
        >>> row_rarity([[0, 0], [0, 1]], reference)
        array([0.32192808, 2.321928  ], dtype=float32)
    """
    own = Column(RowSource("rows", rows), column)
    check_rarity_tokenizer(reference, tokenizer, is_text=own.is_text)
    return token_rarity(own, reference, encode=None if tokenizer is None else encoder(tokenizer))


def check_rarity_tokenizer(
    reference: HumanReference, tokenizer: Tokenizer | None, *, is_text: bool
) -> None:
    """Refuse another tokenizer than the reference's, and none where rows are texts.

    Args:
        reference: Says what is rare.
        tokenizer: What was given.
        is_text: Whether rows are texts.

    Raises:
        ArgumentError: There is none, and they are.
        TokenizerMismatchError: It is another one.
    """
    if is_text and tokenizer is None:
        raise bad_argument(
            "tokenizer",
            expected="the tokenizer of the reference, since the rows are texts",
            given=None,
            hint="give it",
        )
    if tokenizer is not None:
        reference.check_tokenizer(tokenizer)
