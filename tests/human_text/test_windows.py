import numpy as np
from hypothesis import given, strategies as st

from collapse_guard.human_text.windows import spread


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
