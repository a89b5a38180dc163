"""Padding in what is given as texts: taken off, or found and told of.

A padded batch is no list of texts: with its padding every text is poorer than it is, and all are
alike at their ends. Nothing but an id or a mask can say what is padding, since a model that has
collapsed repeats a token for good just so.
"""

import logging
from collections import Counter
from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from collapse_guard.arguments import as_array, listed, members, understood
from collapse_guard.errors import bad_argument

logger = logging.getLogger("collapse_guard")

Ints = npt.NDArray[np.int64]

_TEXTS = {
    "expected": "texts of whole-number token ids",
    "hint": "give a tensor of shape (texts, tokens), or a list of texts",
}


def unpadded(
    documents: Iterable[Any],
    *,
    pad_token_id: int | Collection[int] | None = None,
    attention_mask: Iterable[Any] | None = None,
) -> list[Ints]:
    """The texts of a padded batch, such as `generate()` returns, without their padding.

    Args:
        documents: Token ids: a tensor or array of shape (texts, tokens), or one text at a time.
        pad_token_id: The id that texts are padded with, or several, such as those of padding and of
            the end of a text: runs of them are taken off both ends, and what stands within stays.
            Where an end is what texts are padded with, their own end goes too: it is no text.
        attention_mask: Of each text a mask as long as it, 0 where there is padding: that is taken
            out. One of the two is needed.

    Returns:
        int64 arrays of shape (tokens of the text,); one without tokens where nothing is left.

    Raises:
        ArgumentError: Neither or both are given, a text is no row of token ids, or a mask does not
            fit.

    Example:
        >>> padded = [[0, 0, 5, 6], [0, 7, 8, 9], [0, 5, 0, 6]]
        >>> [ids.tolist() for ids in unpadded(padded, pad_token_id=0)]
        [[5, 6], [7, 8, 9], [5, 0, 6]]
    """
    if (pad_token_id is None) == (attention_mask is None):
        raise bad_argument(
            "pad_token_id",
            expected="the id of the padding, or `attention_mask` in its place",
            given=pad_token_id,
            hint="give tokenizer.pad_token_id, or what generate() padded with",
        )
    texts = [_row(document) for document in members("documents", documents, **_TEXTS)]
    if attention_mask is None:
        ids = _padding(pad_token_id)
        return [_cut(text, ~np.isin(text, ids)) for text in texts]
    hint = "give what one call of the tokenizer made"
    with understood("attention_mask", attention_mask, expected="a mask for each text", hint=hint):
        masks = [np.asarray(mask) != 0 for mask in attention_mask]
    if [text.shape for text in texts] != [mask.shape for mask in masks]:
        raise bad_argument(
            "attention_mask",
            expected="a mask for each text, as long as it",
            given=f"{len(masks)} masks for {len(texts)} texts, or others in length",
            hint=hint,
        )
    return [text[mask] for text, mask in zip(texts, masks, strict=True)]


def tell_of_padding(argument: str, documents: Any, known: Collection[int] = ()) -> None:
    """Refuse a tensor or array of texts that are padded; of lists that look so, a warning is told.

    They are where one token stands at the ends of texts alone, in runs of two and more there, of
    unlike lengths. In a tensor, texts of unlike lengths could not stand otherwise; lists could be
    texts that all end in a loop.

    Args:
        argument: The argument's name.
        documents: What was given for it.
        known: Ids that the caller leaves out, and so need not be told of.

    Raises:
        ArgumentError: It is a tensor or an array of padded rows.
    """
    is_table = getattr(documents, "ndim", None) == 2
    if not is_table and not _is_table_of_lists(documents):
        return
    if is_table:
        rows = np.asarray(documents)
        if rows.dtype.kind not in "iu" or min(rows.shape) < 2:
            return
        ends = [rows[rows[:, i] == rows[:, j], i].tolist() for i, j in ((-1, -2), (0, 1))]
    else:
        ends = [
            [row[i] for row in documents if row[i] == row[j] and isinstance(row[i], int)]
            for i, j in ((-1, -2), (0, 1))
        ]
    for side in ends:
        token, texts = next(iter(Counter(side).most_common(1)), (0, 0))
        if texts < 2 or token in known or not _stands_at_ends_alone(np.asarray(documents), token):
            continue
        if is_table:
            raise bad_argument(
                argument,
                expected="texts without padding",
                given=f"rows of which {texts} begin or end in runs of token {token}, of unlike "
                f"lengths",
                hint=f"give unpadded({argument}, pad_token_id={token}) of collapse_guard.diversity,"
                f" or list({argument}) where that is what was written",
            )
        logger.warning(
            "`%s`: %d texts begin or end in runs of token %d, of unlike lengths, and it stands "
            "nowhere else: if they are padded with it, give unpadded(%s, pad_token_id=%d) of "
            "collapse_guard.diversity.",
            *(argument, texts, token, argument, token),
        )
        return


def _is_table_of_lists(documents: Any) -> bool:
    return (
        isinstance(documents, list)
        and len(documents) > 1
        and all(isinstance(row, list) for row in documents)
        and {len(row) for row in documents} == {max(len(documents[0]), 2)}
    )


def _stands_at_ends_alone(rows: npt.NDArray[Any], token: int) -> bool:
    if rows.dtype.kind not in "iu":
        return False
    found = rows == token
    left, right = (np.argmin(side, axis=1) for side in (found, found[:, ::-1]))
    runs = np.where(found.all(1), found.shape[1], left + right)
    return bool(found.sum() == runs.sum() and runs.min() < runs.max())


def _row(document: Any) -> Ints:
    ids = as_array("documents", document, **_TEXTS)
    if ids.ndim == 1 and (ids.dtype.kind in "iu" or ids.size == 0):
        return ids.astype(np.int64)
    raise bad_argument("documents", given=document, **_TEXTS)


def _padding(given: Any) -> Ints:
    hint = "give tokenizer.pad_token_id, or what generate() padded with"
    wanted = {"expected": "an id, or several", "hint": hint}
    with understood("pad_token_id", given, **wanted):
        plain = given.tolist() if hasattr(given, "tolist") else given
    many = (
        plain if isinstance(plain, Collection) and not isinstance(plain, str | bytes) else [plain]
    )
    each = listed("pad_token_id", many, **wanted)
    # Whatever else stands there may be longer than any memory once numpy looks into it.
    if not all(isinstance(one, int | np.integer) for one in each):
        raise bad_argument("pad_token_id", given=given, **wanted)
    return as_array("pad_token_id", each, dtype=np.int64, **wanted)


def _cut(text: Ints, kept: npt.NDArray[np.bool_]) -> Ints:
    places = np.flatnonzero(kept)
    return text[places[0] : places[-1] + 1] if len(places) else text[:0]
