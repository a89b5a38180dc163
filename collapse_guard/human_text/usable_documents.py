"""Which held-out documents a panel is cut from, as token ids."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from collapse_guard.arguments import as_array
from collapse_guard.errors import bad_argument
from collapse_guard.human_text.documents import Document
from collapse_guard.human_text.left_out import without_padding
from collapse_guard.human_text.reference import HumanReference
from collapse_guard.human_text.repeats import first_copies
from collapse_guard.human_text.windows import cut, long_enough

Ids = npt.NDArray[np.int64]


def as_ids(document: Document, reference: HumanReference, argument: str = "documents") -> Ids:
    """A document as int64 of shape (tokens,).

    Args:
        document: Token ids.
        reference: Whose tokenizer made them.
        argument: The argument's name, for errors.

    Raises:
        ArgumentError: It holds something else than whole numbers.
        TokenizerMismatchError: Token ids past the reference's vocabulary.

    Example:
        >>> reference = HumanReference.from_token_ids([[0, 0, 0, 1, 2]], vocab_size=3)
        >>> as_ids([2, 0, 1], reference)
        array([2, 0, 1])
    """
    wanted = {
        "expected": "integer token ids",
        "hint": "tokenize the text first, or use HeldOutPanel.from_texts",
    }
    ids = as_array(argument, document, **wanted)
    if ids.ndim != 1 or (ids.size and not np.issubdtype(ids.dtype, np.integer)):
        raise bad_argument(argument, given=document, **wanted)
    reference.check_ids(ids)
    return ids.astype(np.int64, copy=False)


def usable_documents(
    documents: Mapping[int, Ids], reference: HumanReference, window: int, *, drop_short: bool
) -> dict[int, Ids]:
    """The documents that make a window, without padding, each text once.

    Args:
        documents: Each int64 of shape (tokens,), by its number.
        reference: Says which types stand for no human text.
        window: Tokens per window.
        drop_short: Whether to leave documents without a window out.

    Raises:
        PanelError: One is shorter than a window, and is not to be left out.

    Example:
        >>> reference = HumanReference.from_token_ids([[0, 0, 0, 1, 2]], vocab_size=3)
        >>> documents = {0: np.array([2, 0, 1]), 1: np.array([1]), 2: np.array([2, 0, 0])}
        >>> list(usable_documents(documents, reference, 2, drop_short=True))
        [0]
    """
    special = reference.special_types
    texts = {i: without_padding(ids, special) for i, ids in documents.items()}
    usable = long_enough(texts, window, drop=drop_short)
    return first_copies(usable, {i: cut(ids, window).tobytes() for i, ids in usable.items()})
