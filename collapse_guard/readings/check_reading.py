"""A suite through which a reading of one's own can be put: what every reading here keeps to.

A reading is a function of documents, token ids each, that returns one number. It is compared over
training steps, models and machines, so it has to be a function of the text and of nothing else.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from collapse_guard.arguments import checked, flag, function
from collapse_guard.errors import CollapseGuardError, ConformityError
from collapse_guard.random_states import random_states, random_states_kept

Documents = list[npt.NDArray[np.int64]]
DocumentReading = Callable[[Documents], float]

ORDER_TOLERANCE = 1e-9
"""Relative difference that summing in another order may make."""

SIZE_TOLERANCE = 0.02
"""Relative difference between amounts of text up to which a reading is called size-free."""

_TYPES = 50_000
_LENGTH = 100
_SIZES = (10, 100, 1000)


@checked(
    reading=function(hint="give a function of documents that returns a float"),
    order_independent=flag(hint="leave it out"),
    size_free=flag(hint="leave it out"),
)
def check_reading(
    reading: DocumentReading, *, order_independent: bool = False, size_free: bool = False
) -> None:
    """Hold a reading to what every reading of collapse_guard keeps.

    Always: it returns a Python float, the same one when asked twice; it changes neither the
    documents nor a global random state (of Python, numpy, or torch on the CPU); and on odd text (a
    single type, all documents equal, two documents, one, an empty one, none) it returns a finite
    number or raises a `CollapseGuardError` that says why it cannot.

    Where declared: it does not depend on the order of documents (1e-9), and its mean over texts of
    1,000, of 10,000 and of 100,000 tokens of one Zipf law (50,000 types) moves by less than 2%.
    The smaller texts are the parts of the largest, so what moves is drift and not chance.

    Ordinary text is 100 documents of 100 tokens here, and the smallest that is not odd has 1,000
    tokens: give a reading that needs a budget one of at most that.

    Args:
        reading: Takes a list of int64 arrays of shape (tokens,) and returns a float.
        order_independent: Check that the order of documents does not matter.
        size_free: Check that the amount of text does not matter.

    Raises:
        ConformityError: Naming each thing that the reading fails at.

    Example:
        >>> from collapse_guard.diversity import rarefied_types
        >>> def types_per_500_tokens(documents):
        ...     return rarefied_types(documents, budget=500)
        >>> check_reading(types_per_500_tokens, order_independent=True, size_free=True)
        >>> check_reading(lambda documents: len(documents))
        Traceback (most recent call last):
        ...
        collapse_guard.errors.ConformityError: reading `<lambda>` fails at 1 of 5 checks:
        - returns a Python float: it returned 100 of type int
    """
    with random_states_kept():
        checks: dict[str, str | None] = _check_ordinary_text(reading)
        works = checks["returns a Python float"] is None
        checks["finite on odd text, or a CollapseGuardError"] = _fault_on_odd_text(reading)
        # Text that the reading cannot be read on at all is one failure and not three.
        if order_independent and works:
            checks["does not depend on the order of documents"] = _fault_of_order(reading)
        if size_free and works:
            checks["does not drift with the amount of text"] = _fault_of_size(reading)
    faults = {check: fault for check, fault in checks.items() if fault is not None}
    if faults:
        raise ConformityError(_name(reading), faults, num_checks=len(checks))


def zipf_documents(num_documents: int, *, length: int = _LENGTH, seed: int = 0) -> Documents:
    """Text of one fixed law: token t of 50,000 with a probability that falls as 1 / (t + 1).

    What the suite reads. A reading that compares with human text can take its human text from here
    too, with another seed.

    Args:
        num_documents: How many documents.
        length: Tokens of each.
        seed: The same seed gives the same text.

    Returns:
        int64 arrays of shape (length,).
    """
    shares = np.cumsum(1.0 / np.arange(1, _TYPES + 1))
    draws = np.random.default_rng(seed).random((num_documents, length))
    return list(np.searchsorted(shares / shares[-1], draws, side="right").astype(np.int64))


def odd_documents() -> dict[str, Documents]:
    """Text on which formulas divide by zero, by what is odd about it."""
    one = zipf_documents(1)[0]
    return {
        "a single type": [np.zeros(_LENGTH, dtype=np.int64) for _ in range(10)],
        "all documents equal": [one.copy() for _ in range(10)],
        "no type twice": list(np.arange(1000).reshape(10, 100)),
        "two documents": zipf_documents(2, length=500),
        "one document": zipf_documents(1, length=1000),
        "an empty document": [*zipf_documents(10), np.zeros(0, dtype=np.int64)],
        "one token per document": zipf_documents(10, length=1),
        "empty documents only": [np.zeros(0, dtype=np.int64)] * 2,
        "no documents": [],
    }


def _check_ordinary_text(reading: DocumentReading) -> dict[str, str | None]:
    documents = zipf_documents(100)
    given = [ids.copy() for ids in documents]
    before = random_states()
    value, fault = _value(reading, given)
    untouched = random_states() == before
    intact = len(given) == len(documents) and all(map(np.array_equal, given, documents))
    again, _ = _value(reading, [ids.copy() for ids in documents])
    return {
        "returns a Python float": fault,
        "deterministic": None if _same(value, again) else f"it returned {value!r}, then {again!r}",
        "leaves its documents alone": None if intact else "it changed them",
        "touches no global random state": None if untouched else "it drew from one, or set it",
    }


def _fault_on_odd_text(reading: DocumentReading) -> str | None:
    faults = []
    for what, documents in odd_documents().items():
        try:
            value = reading(documents)
        except CollapseGuardError:
            continue
        except Exception as error:
            faults.append(f"{what}: it raised {type(error).__name__}: {error}")
            continue
        if not _is_finite(value):
            faults.append(f"{what}: it returned {value!r}")
    return "; ".join(faults) or None


def _fault_of_order(reading: DocumentReading) -> str | None:
    documents = zipf_documents(100)
    shuffled = [documents[i] for i in np.random.default_rng(0).permutation(len(documents))]
    value = reading(documents)
    for reordered in (documents[::-1], shuffled):
        moved, fault = _value(reading, reordered)
        if fault is not None:
            return fault
        if not math.isclose(value, moved, rel_tol=ORDER_TOLERANCE, abs_tol=ORDER_TOLERANCE):
            return f"it returned {value!r} in one order and {moved!r} in another"
    return None


def _fault_of_size(reading: DocumentReading) -> str | None:
    documents = zipf_documents(_SIZES[-1])
    means = {}
    for size in _SIZES:
        values = []
        for start in range(0, len(documents), size):
            value, fault = _value(reading, documents[start : start + size])
            if fault is not None:
                return f"{fault} ({size * _LENGTH:,} tokens)"
            values.append(value)
        means[size] = float(np.mean(values))
    spread = max(means.values()) - min(means.values())
    if spread <= SIZE_TOLERANCE * abs(means[_SIZES[-1]]):
        return None
    shown = [f"{mean:.4g} at {size * _LENGTH:,} tokens" for size, mean in means.items()]
    return f"it read {', '.join(shown)}"


def _value(reading: DocumentReading, documents: Documents) -> tuple[Any, str | None]:
    try:
        value = reading(documents)
    except Exception as error:
        return None, f"it raised {type(error).__name__} on ordinary text: {error}"
    if type(value) is not float:
        return value, f"it returned {value!r} of type {type(value).__name__}"
    if not math.isfinite(value):
        return value, f"it returned {value!r} on ordinary text"
    return value, None


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _same(left: object, right: object) -> bool:
    # By representation, so that a NaN equals itself.
    return repr(left) == repr(right)


def _name(reading: DocumentReading) -> str:
    return str(getattr(reading, "__qualname__", None) or repr(reading))
