"""Documents that belong together, as whoever gives them says: those of one article or author."""

from collections.abc import Hashable, Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from collapse_guard.arguments import listed, understood
from collapse_guard.errors import bad_argument, shown

Ids = npt.NDArray[np.int64]

_ONE_EACH = {
    "expected": "one label for each document, in their order",
    "hint": 'give a list, or the column that says so: dataset["title"]',
}


def group_numbers(labels: Iterable[Hashable] | None, num_documents: int) -> Ids:
    """The group of each document, numbered in the order in which their labels first come.

    Args:
        labels: One per document; None where each document is a group of its own.
        num_documents: How many documents there are.

    Returns:
        int64 of shape (num_documents,), from 0.

    Raises:
        ArgumentError: Not one label per document, a label that is missing or cannot be hashed, or
            the same one for all documents.

    Example:
        >>> group_numbers(["Lobster", "Lobster", "Valkyria", "Lobster"], 4).tolist()
        [0, 0, 1, 0]
    """
    if labels is None:
        return np.arange(num_documents)
    each = listed_labels(
        "groups", labels, unlabelled="give a document that belongs to no other one one of its own"
    )
    if len(each) != num_documents:
        given = f"{len(each)} labels for {num_documents} documents"
        raise _not_one_each("groups", given)
    numbers: dict[Hashable, int] = {}
    found = np.array([numbers.setdefault(label, len(numbers)) for label in each], np.int64)
    if num_documents > 1 and len(numbers) < 2:
        raise bad_argument(
            "groups",
            expected="at least two different labels: standard errors come from how groups differ",
            given=f"{shown(each[0])} for all {num_documents} documents",
            hint="label documents by article or author, or give held-out documents of more of them",
        )
    return found


def listed_labels(argument: str, labels: Iterable[Hashable], *, unlabelled: str) -> list[Hashable]:
    """Labels as a list, each of them known and one that others can be told from.

    Args:
        argument: The argument's name.
        labels: A list, a column, an array or a tensor of them.
        unlabelled: What to do about a document without one.

    Raises:
        ArgumentError: A text or something else in place of labels, or a label that is missing or
            cannot be hashed.

    Example:
        >>> listed_labels("labels", np.array([7, 9]), unlabelled="leave it out")
        [7, 9]
    """
    # Elements of a tensor are hashed by where they lie, and would be a group each.
    with understood(argument, labels, **_ONE_EACH):
        given: Any = labels.tolist() if hasattr(labels, "tolist") else labels
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        raise _not_one_each(argument, given)
    found = listed(argument, given, **_ONE_EACH)
    for place, label in enumerate(found):
        if _is_missing(label):
            raise bad_argument(
                argument,
                expected="a label that is a text, a number or another hashable value, for each "
                "document",
                given=f"{shown(label)} for document {place}",
                hint=unlabelled,
            )
    return found


def _is_missing(label: Any) -> bool:
    try:
        # What tables write where there is no value is not equal to itself.
        return label is None or bool(label != label) or hash(label) is None
    except Exception:
        # Nor can it always be said whether it is, or told from others.
        return True


def _not_one_each(argument: str, given: object) -> Exception:
    return bad_argument(argument, given=given, **_ONE_EACH)
