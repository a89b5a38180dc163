"""Log-probabilities as users have them: arrays, and what inference servers hand over."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from collapse_guard.errors import bad_argument
from collapse_guard.model.inputs import IGNORED_LABEL

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def read_logprobs(
    argument: str, number: int, document: Any, ids: npt.NDArray[Any]
) -> tuple[Floats, Bools]:
    """The log-probability of each token of a document.

    Args:
        argument: The argument's name.
        number: The document's number.
        document: For each token a number; None where there is none, as vLLM gives for the first
            one; or what several tokens would get there, by their ids, as vLLM's `prompt_logprobs`
            (its `Logprob`s, or their `logprob`s out of JSON, whose keys are texts).
        ids: Integers of shape (tokens,); -100 marks tokens that are not looked at.

    Returns:
        float64 of shape (tokens,), and bool of that shape: where there is one.

    Raises:
        ArgumentError: Another number of them than of tokens, something else, or a position that
            does not hold its own token.

    Example:
        >>> read_logprobs("logprobs", 0, [None, {7: -0.5, 3: -1.5}], np.array([4, 3]))[0].tolist()
        [nan, -1.5]
    """
    entries = document if isinstance(document, np.ndarray) else _as_array(document)
    entries = entries.reshape(-1)
    if len(entries) != len(ids):
        raise _wrong(
            argument,
            f"{len(ids)} numbers for document {number}, one for each of its tokens",
            f"{len(entries)} numbers",
            "mark tokens without a log-probability with the id -100 and any number here",
        )
    if entries.dtype.kind in "fiu":
        return entries.astype(np.float64), np.ones(len(entries), dtype=bool)
    if entries.dtype.kind != "O" and len(entries):
        raise _not_numbers(argument, entries[0])
    values = np.full(len(entries), np.nan)
    given = np.ones(len(entries), dtype=bool)
    for place, (entry, token) in enumerate(zip(entries, ids.tolist(), strict=True)):
        if token == IGNORED_LABEL:
            continue
        logprob = _number(argument, entry, token)
        given[place] = logprob is not None
        values[place] = math.nan if logprob is None else logprob
    return values, given


def _as_array(document: Sequence[Any]) -> npt.NDArray[Any]:
    try:
        entries = np.asarray(document)
    except ValueError:
        # Something among it is itself a sequence.
        entries = np.empty(0, dtype=object)
    if entries.dtype.kind != "O":
        return entries
    alone = np.empty(len(document), dtype=object)
    for place, entry in enumerate(document):
        alone[place] = entry
    return alone


def _number(argument: str, entry: Any, token: int) -> float | None:
    if isinstance(entry, Mapping):
        found = entry[token] if token in entry else entry.get(str(token))
        if found is None:
            raise _wrong(
                argument,
                f"the log-probability of token {token} among those of its position",
                f"those of tokens {list(entry)}",
                "give the token ids that the log-probabilities were asked for, unshifted: those "
                "of a position are of the token that stands there",
            )
        entry = found
    if isinstance(entry, Mapping):
        entry = entry.get("logprob", entry)
    entry = getattr(entry, "logprob", entry)
    if entry is None:
        return None
    if not isinstance(entry, int | float | np.number) or isinstance(entry, bool):
        raise _not_numbers(argument, entry)
    return float(entry)


def _not_numbers(argument: str, given: Any) -> Exception:
    return _wrong(
        argument,
        "a log-probability for each token of each document",
        given,
        "give numbers, None where there is none, or vLLM's prompt_logprobs as they are; token ids "
        "go into `token_ids`",
    )


def _wrong(argument: str, expected: str, given: Any, hint: str) -> Exception:
    return bad_argument(argument, expected=expected, given=given, hint=hint)
