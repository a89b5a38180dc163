"""Documents of token ids end to end, many at a time: what makes numpy worth calling."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from collapse_guard.arguments import members, understood
from collapse_guard.errors import bad_argument
from collapse_guard.human_text.token_rows import TokenRows

Document = Sequence[int] | npt.NDArray[np.integer[Any]]

_TOKENS_AT_A_TIME = 1 << 20
_DOCUMENTS_AT_A_TIME = 10_000
_WANTED = {
    "expected": "a sequence of integer token ids per document",
    "hint": "tokenize the text first; give one document as [ids]",
}


def document_blocks(documents: Iterable[Document]) -> Iterator[TokenRows]:
    """All documents in their order, about a million tokens at a time.

    Args:
        documents: Token ids, a document at a time; read once.

    Raises:
        ArgumentError: A document is no sequence of whole numbers.

    Example:
        >>> [rows.lengths.tolist() for rows in document_blocks([[1, 2], [], np.array([3])])]
        [[2, 0, 1]]
    """
    block: list[npt.NDArray[np.integer[Any]]] = []
    size = 0
    for document in members("documents", documents, **_WANTED):
        ids = _checked(document)
        block.append(ids)
        size += len(ids)
        if size >= _TOKENS_AT_A_TIME or len(block) == _DOCUMENTS_AT_A_TIME:
            yield TokenRows.of(block)
            block, size = [], 0
    if block:
        yield TokenRows.of(block)


def _checked(document: Document) -> npt.NDArray[np.integer[Any]]:
    with understood("documents", document, **_WANTED):
        ids = np.asarray(document)
    if ids.shape == (0,):
        # Nothing says what an empty list would hold.
        return ids.astype(np.int64)
    if ids.ndim != 1 or not np.issubdtype(ids.dtype, np.integer):
        raise bad_argument("documents", given=document, **_WANTED)
    return ids
