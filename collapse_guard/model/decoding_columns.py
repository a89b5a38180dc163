"""How a row was drawn, as plain columns that stand beside its tokens.

A data set that says of each row with which sampler it was written keeps saying so when it is
shuffled, split, filtered and merged with others, in every file format that holds numbers and text.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from collapse_guard.arguments import understood
from collapse_guard.errors import bad_argument
from collapse_guard.model.decoding import A_DECODING, TRANSFORMERS_ORDER, Decoding, check_matchable

DRAWN_MASK_COLUMN = "drawn_mask"
"""Of each token of a row, whether the sampler drew it: 1, or 0 for a prompt's."""

ORDER_COLUMN = "cut_order"
"""The order of cuts, joined by commas."""

DECODING_COLUMNS = ("temperature", "top_k", "top_p", "min_p", ORDER_COLUMN)
"""The columns that say how the tokens of a row were drawn."""

# What vLLM and transformers write where a cut takes nothing away.
_KEEPS_ALL: Mapping[str, tuple[float, ...]] = {"top_k": (0, -1), "top_p": (1,), "min_p": (0,)}


def to_columns(decoding: Decoding) -> dict[str, float | int | str | None]:
    """A decoding as the values that a row has in `DECODING_COLUMNS`.

    Args:
        decoding: How the row was drawn.

    Returns:
        A float, an int or None, two floats or None, and the order of cuts as text. A cut that takes
        nothing away is None.

    Example:
        >>> columns = to_columns(Decoding(temperature=0.8, top_k=50, top_p=1.0))
        >>> columns["temperature"], columns["top_k"], columns["top_p"], columns["cut_order"]
        (0.8, 50, None, 'top_k,top_p,min_p')
    """
    A_DECODING("decoding", decoding)
    cuts: dict[str, float | int | str | None] = {
        name: getattr(decoding, name) if name in decoding.cuts else None for name in _KEEPS_ALL
    }
    return {"temperature": decoding.temperature, **cuts, ORDER_COLUMN: ",".join(decoding.order)}


def decoding_from_columns(row: Mapping[str, Any]) -> Decoding | None:
    """How a row was drawn, by what stands in its `DECODING_COLUMNS`.

    Args:
        row: Values by column, as `write` leaves them behind, or as they were given to vLLM or
            transformers. Other columns do not matter. A column that is missing, None, or NaN (what
            pandas makes of None) says nothing: then there is no such cut, and the order of cuts is
            that of transformers. So does `top_k` 0 or -1, `top_p` 1 and `min_p` 0. `top_k` may be a
            float that is whole, since a NaN among whole numbers turns them all into floats.

    Returns:
        The decoding; None where `temperature` says nothing, so that the sampler is not known.

    Raises:
        ArgumentError: A value out of range or of another type, or a greedy decoding. The message
            names the column.

    Example:
        >>> print(decoding_from_columns({"temperature": 0.7, "top_k": -1, "top_p": 0.9}))
        T 0.7, top-p 0.9
        >>> decoding_from_columns({"input_ids": [5, 3, 1], "temperature": float("nan")})
    """
    # Not only of a Mapping: a row of pandas is none.
    with understood(
        "row",
        row,
        expected="values by column",
        hint="give a row of a data set, which is a dictionary",
    ):
        known = {name: row[name] for name in DECODING_COLUMNS if not _says_nothing(row.get(name))}
    if "temperature" not in known:
        return None
    order = _order(known.pop(ORDER_COLUMN, None))
    numbers = {name: _number(name, value) for name, value in known.items()}
    if numbers["temperature"] == 0:
        raise bad_argument(
            "temperature",
            expected="a number above 0 in this column",
            given=0,
            hint="0 is greedy decoding, which no likelihood can take back: draw such rows at a "
            "higher temperature, or set the column to None to train on them with the plain loss",
        )
    cuts = {name: value for name, value in numbers.items() if value not in _KEEPS_ALL.get(name, ())}
    decoding = Decoding(**cuts, order=order)
    check_matchable(decoding, "top_k" if decoding.top_k == 1 else "temperature")
    return decoding


def _says_nothing(value: Any) -> bool:
    if value is None:
        return True
    try:
        return bool(value != value)
    except (TypeError, RecursionError):
        # The NA of pandas does not even say whether it equals itself.
        return True
    except Exception:
        # An array; what it is to be is said where a number is asked for.
        return False


def _number(name: str, value: Any) -> Any:
    expected = "a whole number" if name == "top_k" else "a number"
    error = bad_argument(
        name,
        expected=f"{expected} or None in this column",
        given=value,
        hint="read the column with a numeric type, one value a row",
    )
    if isinstance(value, bool | str | bytes):
        raise error
    try:
        # The shortest decimal of a narrow number: data sets hand 0.8 out as the float32 next to it.
        number = float(str(np.asarray(value)) if hasattr(value, "dtype") else value)
    except Exception:
        raise error from None
    if name != "top_k":
        return number
    if not number.is_integer():
        raise error
    return int(number)


def _order(value: Any) -> tuple[str, ...]:
    if value is None:
        return TRANSFORMERS_ORDER
    cuts = tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else ()
    if sorted(cuts) != sorted(TRANSFORMERS_ORDER):
        raise bad_argument(
            ORDER_COLUMN,
            expected=f"each of {', '.join(TRANSFORMERS_ORDER)} once, joined by commas",
            given=value,
            hint='write "min_p,top_k,top_p" for text of vLLM, or leave the column out for the '
            "order of transformers",
        )
    return cuts
