"""Tokens that are no human text: padding, and what a tokenizer puts between and around texts."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import zip_longest
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from collapse_guard.arguments import members, one_of, understood
from collapse_guard.errors import bad_argument
from collapse_guard.human_text.texts import check_documents
from collapse_guard.human_text.token_rows import TokenRows
from collapse_guard.human_text.tokenizer import Tokenizer

Ids = npt.NDArray[np.int64]
SpecialTokens = Literal["leave out", "count"]

MASK_COLUMN = "attention_mask"


def special_token_ids(
    tokenizer: Tokenizer | None, special_tokens: SpecialTokens = "leave out"
) -> dict[int, str]:
    """The ids that stand for no human text, and what each is: "padding" or "special tokens".

    They are those that the tokenizer calls special: beginning, end, separators, placeholders of
    images, markup of chats. The one for unknown text stands for text, and is none of them, unless
    it is what rows are padded with.

    Args:
        tokenizer: The tokenizer; None where it is not known, and so nothing is special.
        special_tokens: Whether special tokens are left out, or counted as if they were text.

    Raises:
        ArgumentError: `special_tokens` says neither.

    Example:
        >>> from tokenizers import Tokenizer, models
        >>> tokenizer = Tokenizer(models.WordLevel({"a": 0, "?": 1}, unk_token="?"))
        >>> _ = tokenizer.add_special_tokens(["?", "<end>"])
        >>> special_token_ids(tokenizer)
        {2: 'special tokens'}
    """
    one_of("leave out", "count", hint="choose")("special_tokens", special_tokens)
    if tokenizer is None or special_tokens == "count":
        return {}
    hint = "load it, as with AutoTokenizer.from_pretrained(name)"
    with understood("tokenizer", tokenizer, expected="a tokenizer", hint=hint):
        return _called_special(tokenizer)


def _called_special(tokenizer: Tokenizer) -> dict[int, str]:
    given: Any = tokenizer
    if callable(added := getattr(given, "get_added_tokens_decoder", None)):
        decoder = added()
    else:
        decoder = getattr(given, "added_tokens_decoder", {})
    ids = {index for index, token in decoder.items() if getattr(token, "special", False)}
    ids.update(getattr(given, "all_special_ids", ()))
    unknown = getattr(given, "unk_token_id", None)
    if (text := getattr(getattr(given, "model", None), "unk_token", None)) is not None:
        unknown = given.token_to_id(text)
    padding = getattr(given, "pad_token_id", None)
    if unknown != padding:
        ids.discard(unknown)
    return {index: "padding" if index == padding else "special tokens" for index in sorted(ids)}


def leave_out(
    counts: Ids, masked: Mapping[int, int], special: Mapping[int, str]
) -> tuple[tuple[int, ...], dict[str, int]]:
    """Take what is no human text out of token counts, in place.

    Args:
        counts: int64 of shape (vocabulary,), of what no mask masks out.
        masked: How often each id is masked out; those are not in `counts`.
        special: Ids that stand for no human text, and what each is.

    Returns:
        The ids that stand for no human text, ascending: the special ones, and those that stand
        where a mask says so and nowhere else. And how many tokens were left out, by what they are.

    Example:
        >>> counts = np.array([5, 3, 0, 2])
        >>> leave_out(counts, {2: 7, 0: 1}, {3: "special tokens"}), counts.tolist()
        (((2, 3), {'padding': 8, 'special tokens': 2}), [5, 3, 0, 0])
    """
    tokens = {"padding": sum(masked.values()), "special tokens": 0}
    ids = {index for index in masked if index < len(counts) and not counts[index]}
    for index, what in special.items():
        if index < len(counts):
            tokens[what] += int(counts[index])
            counts[index] = 0
            ids.add(index)
    return tuple(sorted(ids)), {what: number for what, number in tokens.items() if number}


def unmasked(table: Any, rows: TokenRows, masked: dict[int, int]) -> Ids:
    """The token ids of a batch that its attention mask, where it has one, does not mask out.

    Args:
        table: A `pyarrow.Table`, with a column `attention_mask` or without.
        rows: Its rows of token ids.
        masked: Takes in how often each id is masked out.

    Raises:
        ArgumentError: A mask is not as long as its row.
    """
    if MASK_COLUMN not in table.column_names:
        return rows.ids
    mask = TokenRows.of_arrow(table.column(MASK_COLUMN))
    if not np.array_equal(mask.lengths, rows.lengths):
        raise bad_argument(
            "dataset",
            expected=f"as many values of `{MASK_COLUMN}` as tokens in each row",
            given="rows where they differ",
            hint=f"make both with one call of the tokenizer, or remove the column {MASK_COLUMN}",
        )
    is_text = mask.ids != 0
    found, numbers = np.unique(rows.ids[~is_text], return_counts=True)
    for index, number in zip(found.tolist(), numbers.tolist(), strict=True):
        masked[index] = masked.get(index, 0) + number
    text: Ids = rows.ids[is_text]
    return text


def unmasked_documents(
    documents: Any, attention_mask: Iterable[Any] | None, masked: dict[int, int]
) -> Any:
    """Documents without what their attention masks mask out.

    Args:
        documents: Token ids, a document at a time.
        attention_mask: For each document as many numbers or truth values, 0 where a token is
            padding; None where nothing is masked out.
        masked: Takes in how often each id is masked out.

    Returns:
        The documents as they are where there are no masks; otherwise an iterator over arrays, which
        raises where it comes to a fault.

    Raises:
        ArgumentError: Another number of masks than of documents, or a mask that is not as long as
            its document.

    Example:
        >>> masked = {}
        >>> found = unmasked_documents([[0, 0, 5], [6, 7, 0]], [[0, 0, 1], [1, 1, 0]], masked)
        >>> [ids.tolist() for ids in found], masked
        ([[5], [6, 7]], {0: 3})
    """
    if attention_mask is None:
        return documents
    check_documents("documents", documents)
    check_documents(MASK_COLUMN, attention_mask)
    return _unmasked_documents(documents, attention_mask, masked)


def _unmasked_documents(
    documents: Iterable[Any], attention_mask: Iterable[Any], masked: dict[int, int]
) -> Iterator[Ids]:
    missing = object()
    pairs: Iterator[tuple[Any, Any]]
    wanted = {
        "expected": "a mask for each document, as long as it",
        "hint": "give what one call of the tokenizer made, rows and masks in one order",
    }
    pairs = zip_longest(
        members("documents", documents, expected="documents of token ids", hint=wanted["hint"]),
        members(MASK_COLUMN, attention_mask, **wanted),
        fillvalue=missing,
    )
    for number, (document, mask) in enumerate(pairs):
        with understood(MASK_COLUMN, mask, **wanted):
            ids, is_text = np.asarray(document), np.asarray(mask) != 0
        if document is missing or mask is missing or ids.shape != is_text.shape:
            given = f"other numbers of them at document {number}"
            raise bad_argument(MASK_COLUMN, given=given, **wanted)
        if ids.ndim != 1 or (ids.size and ids.dtype.kind not in "iu"):
            raise bad_argument(
                "documents", expected="integer token ids", given=document, hint="tokenize the text"
            )
        if not ids.size:
            ids = ids.astype(np.int64)
        for index, times in zip(*np.unique(ids[~is_text], return_counts=True), strict=True):
            masked[int(index)] = masked.get(int(index), 0) + int(times)
        yield ids[is_text]


def without_padding(ids: Ids, special: npt.NDArray[np.bool_]) -> Ids:
    """A document without the padding at its ends: two or more of one special token in a row.

    A single one stays: it is the beginning or the end of a text, which a model was trained to see.

    Args:
        ids: int64 of shape (tokens,).
        special: bool of shape (vocabulary,), the types that stand for no human text.

    Example:
        >>> special = np.array([True, True, False, False])
        >>> without_padding(np.array([0, 0, 1, 2, 3, 1, 0, 0]), special).tolist()
        [1, 2, 3, 1]
    """
    for _ in range(2):
        # Once from the left and once from the right, with the document turned round in between.
        if len(ids) and special[ids[0]]:
            run = next(iter(np.flatnonzero(ids != ids[0])), len(ids))
            ids = ids[run:] if run > 1 else ids
        ids = ids[::-1]
    return ids
