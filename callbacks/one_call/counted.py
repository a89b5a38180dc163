"""What is rare: where it is counted, and what that leaves to be looked at."""

from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from collapse_guard.callbacks.one_call.held_out import HeldOutText, Ids, unmasked
from collapse_guard.errors import bad_argument
from collapse_guard.human_text.reference import HumanReference
from collapse_guard.human_text.tokenizer import Tokenizer, num_ids
from collapse_guard.mixing.guard import MixGuard
from collapse_guard.mixing.packing.packed_mix import PackedMix
from collapse_guard.random_states import random_states_kept
from collapse_guard.rows.row_source import RowSource
from collapse_guard.spacing import evenly_spaced

MOST_ROWS = 20_000
"""Training rows that are read of larger sets, evenly over them."""

_FEWEST_TO_SPLIT = 4


def counted_in(
    training: tuple[Sequence[Ids], str] | None, held_out: HeldOutText, tokenizer: Tokenizer
) -> tuple[HumanReference, HeldOutText, str]:
    """Count human training rows or, where there are none, half of the held-out text.

    Args:
        training: Human training rows as token ids, and what they are in words; None where none can
            be had.
        held_out: The held-out text.
        tokenizer: Of both.

    Returns:
        The counts, the held-out text that is not among what was counted, and what that was.

    Raises:
        ArgumentError: There are too few held-out documents to be split.
    """
    if training is None:
        counted, held_out = _split(held_out)
        where = "half of the held-out text"
    else:
        counted, where = list(training[0]), training[1]
    reference = HumanReference.from_token_ids(
        counted, vocab_size=num_ids(tokenizer), tokenizer=tokenizer
    )
    return reference, held_out, where


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
    if isinstance(dataset, PackedMix):
        dataset = dataset.guard
    if isinstance(dataset, MixGuard):
        parts = [token_rows(each.rows) for each in dataset.sources if each.kind == "human"]
        known = [each for each in parts if each is not None]
        rows, count = [ids for each, _ in known for ids in each], sum(n for _, n in known)
        told = "human rows of the mix"
    else:
        found = token_rows(dataset)
        rows, count = ([], 0) if found is None else found
        told = "training rows, which are taken to be human"
    if not rows:
        return None
    part = f"{len(rows):,} of " if len(rows) < count else ""
    return rows, f"{part}{count:,} {told}"


def _ids(row: Any) -> Ids | None:
    try:
        ids = np.asarray(row["input_ids"], dtype=np.int64)
        mask = row.get("attention_mask")
    except (KeyError, TypeError, ValueError, AttributeError, IndexError):
        return None
    if ids.ndim != 1:
        return None
    return unmasked(ids, mask)


def _split(held_out: HeldOutText) -> tuple[list[Ids], HeldOutText]:
    """Every other document, or every other group of them, and the rest."""
    count = len(held_out.documents)
    labels: Sequence[Hashable] = held_out.groups if held_out.groups is not None else range(count)
    places = {label: place for place, label in enumerate(dict.fromkeys(labels))}
    if len(places) < _FEWEST_TO_SPLIT:
        raise bad_argument(
            "held_out",
            expected=f"at least {_FEWEST_TO_SPLIT} documents, of which half are counted to know "
            "what is rare",
            given=len(places),
            hint="hold more out, or give human=, the human training text, to count in",
        )
    is_counted = [places[label] % 2 == 0 for label in labels]
    kept = [place for place in range(count) if not is_counted[place]]
    groups = None if held_out.groups is None else [held_out.groups[place] for place in kept]
    rest = replace(held_out, documents=[held_out.documents[p] for p in kept], groups=groups)
    return [held_out.documents[p] for p in range(count) if is_counted[p]], rest
