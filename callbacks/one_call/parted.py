"""Held-out text in two parts, of which no group of documents is in both."""

from collections.abc import Collection, Hashable, Sequence
from dataclasses import replace

from collapse_guard.callbacks.one_call.held_out import HeldOutText


def num_groups(held_out: HeldOutText) -> int:
    """How many groups its documents are of; each is one by itself where none were given."""
    return len(held_out.documents if held_out.groups is None else set(held_out.groups))


def parted(held_out: HeldOutText, groups: Collection[int]) -> tuple[HeldOutText, HeldOutText]:
    """Some groups of documents, and the others.

    Args:
        held_out: The held-out text.
        groups: The numbers of some of its groups, in the order in which they first appear, from 0.

    Returns:
        The documents of these, and the rest.
    """
    count = len(held_out.documents)
    labels: Sequence[Hashable] = held_out.groups if held_out.groups is not None else range(count)
    numbers = {label: number for number, label in enumerate(dict.fromkeys(labels))}
    are_in = [numbers[label] in groups for label in labels]
    places = range(count)
    taken, left = ([p for p in places if are_in[p] is is_in] for is_in in (True, False))
    return _chosen(held_out, taken), _chosen(held_out, left)


def _chosen(held_out: HeldOutText, places: Sequence[int]) -> HeldOutText:
    groups = None if held_out.groups is None else [held_out.groups[place] for place in places]
    return replace(held_out, documents=[held_out.documents[p] for p in places], groups=groups)
