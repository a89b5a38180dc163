"""Documents as one array of token ids, cut at a stated amount of text."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from collapse_guard.arguments import amount, members, understood
from collapse_guard.diversity.padding import tell_of_padding
from collapse_guard.errors import bad_argument

Document = Sequence[int] | npt.NDArray[np.integer[Any]] | torch.Tensor
Ints = npt.NDArray[np.int64]


_MOST = int(np.iinfo(np.int64).max)
_WANTED = {
    "expected": "documents of whole-number token ids",
    "hint": "tokenize the text, and put a single document into a list",
}


class Corpus(NamedTuple):
    """Documents laid end to end.

    Attributes:
        tokens: int64 of shape (tokens,), ids of at least 0.
        lengths: int64 of shape (documents,), tokens of each document; 0 where it is empty.
    """

    tokens: Ints
    lengths: Ints


def pack(
    documents: Iterable[Document], argument: str = "documents", *, known: Collection[int] = ()
) -> Corpus:
    """All of the documents.

    Args:
        documents: Token ids, a document at a time: sequences, arrays or tensors of one dimension.
        argument: The argument's name, for errors.
        known: Ids that the caller leaves out, which may be those of padding.

    Raises:
        ArgumentError: There is no token at all, or something other than token ids of at least 0; or
            a tensor or array of padded rows.
    """
    corpus = _join(list(read_documents(documents, argument, known=known)), argument)
    if len(corpus.tokens) == 0:
        raise bad_argument(
            argument,
            expected="at least one token",
            given=f"{len(corpus.lengths)} documents without any",
            hint="give text that is not empty",
        )
    return corpus


def pack_tokens(documents: Iterable[Document], budget: int) -> Corpus:
    """The first `budget` tokens; the last document is cut where the budget ends.

    Raises:
        ArgumentError: A budget below 1, fewer tokens than that, or not token ids.
    """
    budget = amount("budget", budget, least=1, hint="10,000 is usual")
    taken: list[npt.NDArray[Any]] = []
    missing = budget
    for document in read_documents(documents):
        ids = document[:missing]
        taken.append(ids)
        missing -= len(ids)
        if missing == 0:
            break
    if missing:
        raise bad_argument(
            "documents",
            expected=f"at least budget = {budget} tokens",
            given=f"{budget - missing} tokens",
            hint="give more text, or lower the budget of everything that you compare",
        )
    return _join(taken)


def pack_texts(documents: Iterable[Document], num_texts: int, *, min_length: int = 1) -> Corpus:
    """The first `num_texts` documents, for readings that compare texts with each other.

    Raises:
        ArgumentError: Fewer than two texts asked for, fewer given than asked for, one of them
            shorter than `min_length` tokens, or not token ids.
    """
    num_texts = amount(
        "num_texts",
        num_texts,
        least=2,
        hint="texts are compared with each other, of which 100 to 1,000 are usual",
    )
    taken: list[npt.NDArray[Any]] = []
    for document in read_documents(documents):
        taken.append(document)
        if len(taken[-1]) < min_length:
            raise bad_argument(
                "documents",
                expected=f"texts of at least {min_length} token{'s' if min_length > 1 else ''}",
                given=f"{len(taken[-1])} in text {len(taken) - 1}",
                hint="leave out empty and very short texts",
            )
        if len(taken) == num_texts:
            return _join(taken)
    raise bad_argument(
        "documents",
        expected=f"at least num_texts = {num_texts} texts",
        given=f"{len(taken)} texts",
        hint="give more texts, or lower num_texts of everything that you compare",
    )


def pack_prefixes(documents: Iterable[Document], length: int) -> Corpus:
    """The first `length` tokens of every document.

    Raises:
        ArgumentError: A document shorter than that, no document, or not token ids.
    """
    prefixes = [document[:length] for document in read_documents(documents)]
    short = [place for place, ids in enumerate(prefixes) if len(ids) < length]
    if short or not prefixes:
        raise bad_argument(
            "documents",
            expected=f"texts of at least length = {length} tokens",
            given=f"{len(prefixes[short[0]])} in text {short[0]}" if short else "no text",
            hint="lower the length of everything that you compare, or leave short texts out",
        )
    return _join(prefixes)


def read_documents(
    documents: Iterable[Document], argument: str = "documents", *, known: Collection[int] = ()
) -> Iterator[npt.NDArray[Any]]:
    """The documents one by one as integer arrays of shape (tokens,), or empty ones.

    Raises:
        ArgumentError: A document is something other than token ids; or all are a tensor or array of
            padded rows.
    """
    with understood(argument, documents, **_WANTED):
        tell_of_padding(argument, documents, known)
    each = [documents] if isinstance(documents, str | bytes) else documents
    for document in members(argument, each, **_WANTED):
        with understood(argument, document, **_WANTED):
            ids = np.asarray(document)
        if ids.ndim != 1 or not (ids.dtype.kind in "iu" or ids.size == 0):
            raise bad_argument(argument, given=document, **_WANTED)
        if ids.dtype == np.uint64:
            # With other integers it would become floats.
            ids = _signed(ids, argument)
        yield ids


def _signed(ids: npt.NDArray[np.uint64], argument: str) -> Ints:
    if ids.size and ids.max() > _MOST:
        raise bad_argument(
            argument,
            expected=f"token ids of at most {_MOST}",
            given=ids.max(),
            hint=_WANTED["hint"],
        )
    return ids.astype(np.int64)


def _join(arrays: list[npt.NDArray[Any]], argument: str = "documents") -> Corpus:
    lengths = np.array([len(ids) for ids in arrays], dtype=np.int64)
    # An empty list becomes an array of floats, which would make floats of all.
    filled = [ids for ids in arrays if len(ids)]
    tokens = np.concatenate(filled) if filled else np.empty(0, dtype=np.int64)
    if len(tokens) and tokens.min() < 0:
        raise bad_argument(
            argument,
            expected="token ids of at least 0",
            given=int(tokens.min()),
            hint="leave out ignored labels and padding",
        )
    return Corpus(tokens.astype(np.int64, copy=False), lengths)
