"""What is rare: where it is counted, and what that leaves to be looked at."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from collapse_guard.callbacks.one_call.held_out import HeldOutText, Ids, unmasked
from collapse_guard.callbacks.one_call.parted import num_groups, parted
from collapse_guard.errors import bad_argument
from collapse_guard.human_text.reference import HumanReference
from collapse_guard.human_text.tokenizer import Tokenizer, num_ids
from collapse_guard.mixing.mix_of import mix_of
from collapse_guard.random_states import random_states_kept
from collapse_guard.rows.row_source import RowSource
from collapse_guard.spacing import evenly_spaced

MOST_ROWS = 20_000
"""Training rows that are read of larger sets, evenly over them."""

_FEWEST_TO_SPLIT = 4


class Counted(NamedTuple):
    """What is rare, and what it was counted in.

    Attributes:
        reference: The counts.
        held_out: The held-out text that is not among what was counted.
        where: What was counted, in words.
        documents: It itself, as token ids.
    """

    reference: HumanReference
    held_out: HeldOutText
    where: str
    documents: Sequence[Ids]


def counted_in(
    training: tuple[Sequence[Ids], str] | None, held_out: HeldOutText, tokenizer: Tokenizer
) -> Counted:
    """Count human training rows or, where there are none, half of the held-out text.

    Args:
        training: Human training rows as token ids, and what they are in words; None where none can
            be had.
        held_out: The held-out text.
        tokenizer: Of both.

    Raises:
        ArgumentError: There are too few held-out documents to be split.
    """
    if training is None:
        half, held_out = _split(held_out)
        counted, where = half.documents, "half of the held-out text"
    else:
        counted, where = list(training[0]), training[1]
    reference = HumanReference.from_token_ids(
        counted, vocab_size=num_ids(tokenizer), tokenizer=tokenizer
    )
    return Counted(reference, held_out, where, counted)


def token_rows(rows: Any) -> tuple[list[Ids], int] | None:
    """Some of a data set's rows as token ids, and how many it has; random states stay as they are.

    Args:
        rows: A data set of rows with `input_ids`, and perhaps an `attention_mask`.

    Returns:
        None where it is a stream, or holds something else.
    """
    if not hasattr(rows, "__len__") or not hasattr(rows, "__getitem__") or not len(rows):
        return None
    count = len(rows)
    with random_states_kept():
        numbers = [int(n) for n in evenly_spaced(min(count, MOST_ROWS), count)]
        read = RowSource("train_dataset", rows).read(numbers)
    ids = [_ids(row) for row in read]
    found = [each for each in ids if each is not None]
    return (found, count) if found and len(found) == len(ids) else None


def human_rows(dataset: Any) -> tuple[list[Ids], str] | None:
    """The human rows of a training set, as token ids, and what they are in words.

    Args:
        dataset: A mix, whose human sources count; any other set, which is taken to be human.

    Returns:
        None where none can be had.
    """
    mix = mix_of(dataset)
    if mix is None:
        parts, told = [dataset], "training rows, which are taken to be human"
    else:
        parts = [each.rows for each in mix.sources if each.kind == "human"]
        told = "human rows of the mix"
    rows, count = _rows_of(parts)
    if not rows:
        return None
    part = f"{len(rows):,} of " if len(rows) < count else ""
    return rows, f"{part}{count:,} {told}"


def all_rows(dataset: Any) -> list[Ids]:
    """The rows of a training set, whoever wrote them, as token ids; none where none can be had."""
    mix = mix_of(dataset)
    return _rows_of([dataset] if mix is None else [each.rows for each in mix.sources])[0]


def _rows_of(parts: Sequence[Any]) -> tuple[list[Ids], int]:
    """Rows of what can be read as token ids, and how many there are."""
    known = [each for each in map(token_rows, parts) if each is not None]
    return [ids for each, _ in known for ids in each], sum(count for _, count in known)


def _ids(row: Any) -> Ids | None:
    try:
        ids = np.asarray(row["input_ids"], dtype=np.int64)
        mask = row.get("attention_mask")
    except (KeyError, TypeError, ValueError, AttributeError, IndexError):
        return None
    if ids.ndim != 1:
        return None
    return unmasked(ids, mask)


def _split(held_out: HeldOutText) -> tuple[HeldOutText, HeldOutText]:
    """Every other document, or every other group of them, and the rest."""
    count = num_groups(held_out)
    if count < _FEWEST_TO_SPLIT:
        raise bad_argument(
            "held_out",
            expected=f"at least {_FEWEST_TO_SPLIT} documents, of which half are counted to know "
            "what is rare",
            given=count,
            hint="hold more out, or give human=, the human training text, to count in",
        )
    return parted(held_out, range(0, count, 2))
