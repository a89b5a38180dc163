"""What a reference is made of by hand, checked before anything is reckoned with it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from collapse_guard.arguments import (
    a,
    as_array,
    check_fields,
    many,
    optional,
    real,
    text,
    understood,
    whole,
)
from collapse_guard.errors import bad_argument

_LEFT_OUT = "leave it out, and build the reference with from_token_ids"


def as_counts(given: Any) -> npt.NDArray[np.int64]:
    """Counts of types that were given, as int64 of shape (vocab_size,) in memory of their own.

    Raises:
        ArgumentError: They are no whole numbers of at least 0.
    """
    wanted = {
        "expected": "for each type how often it occurs, whole numbers of at least 0",
        "hint": "count human text with HumanReference.from_token_ids",
    }
    counts = as_array("counts", given, **wanted)
    is_empty = counts.shape == (0,)
    if (
        counts.ndim != 1
        or not (is_empty or counts.dtype.kind in "iu")
        or not 0 <= counts.min(initial=0) <= counts.max(initial=0) < 2**62
    ):
        raise bad_argument("counts", given=given, **wanted)
    return counts.astype(np.int64)


def check_described(reference: object, *, num_types: int) -> None:
    """Refuse what a reference says of its counts where that cannot be.

    Args:
        reference: As its `__post_init__` finds it.
        num_types: Of how many types there are counts.

    Raises:
        ArgumentError: One of its fields is of another kind, or out of range.
    """
    check_fields(
        reference,
        smoothing=real(
            above=0,
            hint="1.0 is the default; without it unseen types would have infinite information",
        ),
        fingerprint=optional(text(hint="leave it out")),
        special_ids=many(
            whole(least=0, most=max(num_types - 1, 0), hint=_LEFT_OUT),
            expected="token ids",
            hint=_LEFT_OUT,
        ),
        left_out=a(Mapping, expected="numbers of tokens by what they are", hint=_LEFT_OUT),
    )


def check_column(dataset: Any, column: object) -> None:
    """Refuse what is no Hugging Face data set, and a column that it lacks.

    Raises:
        ArgumentError: It is something else, or there is no such column.
    """
    hint = "give a datasets.Dataset, or from_token_ids its column"
    with understood("dataset", dataset, expected="a Hugging Face data set", hint=hint):
        columns: Any = getattr(dataset, "column_names", None)
        is_there = bool(columns) and isinstance(column, str) and column in columns
    if not is_there:
        raise bad_argument(
            "column",
            expected=f"one of the data set's columns {columns}",
            given=column,
            hint="tokenize the text first, and name the column that holds the token ids",
        )


def check_integers(ids: object) -> None:
    """Refuse token ids that are no array of whole numbers.

    Raises:
        ArgumentError: They are something else.
    """
    if not isinstance(ids, np.ndarray) or (ids.size and ids.dtype.kind not in "iu"):
        raise bad_argument(
            "ids",
            expected="an array of whole numbers",
            given=ids,
            hint="give np.array(ids) of what the tokenizer made",
        )
