import numpy as np
from hypothesis import given, strategies as st

from collapse_guard.human_text.windows import cut_all, spread


@given(st.lists(st.integers(0, 12), min_size=1, max_size=15), st.integers(1, 60))
def test_windows_are_dealt_out_in_rounds(windows: list[int], most: int) -> None:
    kept = spread(np.array(windows), most)
    assert len(kept) == len(set(kept.tolist())) == min(most, sum(windows))
    assert (np.diff(kept) > 0).all()
    ends = np.cumsum(windows)
    taken = []
    for end, number in zip(ends, windows, strict=True):
        own = kept[(kept >= end - number) & (kept < end)] - (end - number)
        # The first ones of each document, without a gap.
        assert own.tolist() == list(range(len(own)))
        taken.append(len(own))
    # Nobody has two more than a document that has any left.
    left = [n for n, number in zip(taken, windows, strict=True) if n < number]
    assert max(taken) <= min(left, default=max(taken)) + 1


def test_a_round_that_is_not_full_takes_from_everywhere() -> None:
    kept = spread(np.ones(100, np.int64), 10)
    assert kept.tolist() == [0, 11, 22, 33, 44, 55, 66, 77, 88, 99]


@given(
    lengths=st.lists(st.integers(2, 11), min_size=1, max_size=10),
    labels=st.lists(st.integers(0, 3), min_size=10, max_size=10),
    most=st.integers(1, 30),
)
def test_windows_of_a_group_stand_together_and_are_spread_over_groups(
    lengths: list[int], labels: list[int], most: int
) -> None:
    numbers: dict[int, int] = {}
    groups = np.array([numbers.setdefault(label, len(numbers)) for label in labels])
    # Each token tells its document and its place in it.
    documents = {i: 100 * i + np.arange(length) for i, length in enumerate(lengths)}
    whole, part = (cut_all(documents, groups, 2, limit) for limit in (None, most))
    for windows in (whole, part):
        np.testing.assert_array_equal(windows.ids[:, 0] // 100, windows.documents)
        np.testing.assert_array_equal(windows.groups, groups[windows.documents])
        assert (np.diff(windows.groups) >= 0).all()
    assert len(whole.ids) == sum(length // 2 for length in lengths)
    assert len(part.ids) == min(most, len(whole.ids))
    every, kept = (np.bincount(each.groups, minlength=4) for each in (whole, part))
    # No group has two more than one that has any left, and no document of a group either.
    assert max(kept) <= min(kept[kept < every], default=max(kept)) + 1
    for group in np.unique(part.groups):
        own = [i for i in documents if groups[i] == group]
        taken = np.array([np.sum(part.documents == i) for i in own])
        left = taken < np.array([lengths[i] // 2 for i in own])
        assert max(taken) <= min(taken[left], default=max(taken)) + 1
