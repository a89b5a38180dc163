"""Held-out text in two parts."""

import numpy as np

from collapse_guard.callbacks.one_call.held_out import HeldOutText
from collapse_guard.callbacks.one_call.parted import num_groups, parted


def text(groups: list[str] | None) -> HeldOutText:
    return HeldOutText([np.array([number]) for number in range(5)], groups, 9)


def ids(part: HeldOutText) -> list[int]:
    return [int(each[0]) for each in part.documents]


def test_each_document_is_a_group_where_none_are_given() -> None:
    assert num_groups(text(None)) == 5
    taken, rest = parted(text(None), {1, 4})
    assert (ids(taken), ids(rest)) == ([1, 4], [0, 2, 3])
    assert taken.groups is rest.groups is None
    assert taken.given == 9


def test_groups_are_numbered_as_they_appear_and_stay_whole() -> None:
    given = text(["b", "a", "b", "c", "a"])
    assert num_groups(given) == 3
    taken, rest = parted(given, {0, 2})
    assert (ids(taken), taken.groups) == ([0, 2, 3], ["b", "b", "c"])
    assert (ids(rest), rest.groups) == ([1, 4], ["a", "a"])
