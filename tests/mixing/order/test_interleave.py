import numpy as np
from hypothesis import example, given, strategies as st

from collapse_guard.mixing.order.interleave import Interleave
from tests.mixing import naive

share_lists = st.lists(st.integers(0, 60), min_size=1, max_size=17).filter(any)


@given(shares=share_lists)
def test_it_agrees_with_merging_by_account(shares: list[int]) -> None:
    strata, turns = Interleave(shares).locate(np.arange(sum(shares)))
    assert strata.tolist() == naive.interleave(shares)
    for stratum, share in enumerate(shares):
        assert turns[strata == stratum].tolist() == list(range(share))


@given(shares=share_lists)
def test_every_window_is_even(shares: list[int]) -> None:
    total = sum(shares)
    strata, _ = Interleave(shares).locate(np.arange(total))
    depth = (len(shares) - 1).bit_length()
    for stratum, share in enumerate(shares):
        before = np.concatenate([[0], np.cumsum(strata == stratum)])
        for n in range(1, total + 1):
            in_window = before[n:] - before[: len(before) - n]
            assert np.abs(in_window - n * share / total).max() < max(depth, 1e-9)


@given(shares=share_lists)
@example(shares=[0, 1])
@example(shares=[0, 0, 0, 1])
def test_counts_before_agree_with_counting(shares: list[int]) -> None:
    total = sum(shares)
    interleave = Interleave(shares)
    strata, _ = interleave.locate(np.arange(total))
    for draw in {0, 1, total // 3, total - 1, total}:
        counted = np.bincount(strata[:draw], minlength=len(shares))
        assert interleave.counts_before(draw).tolist() == counted.tolist()
        for stratum, count in enumerate(counted.tolist()):
            assert interleave.turns_before(np.array([draw]), stratum).tolist() == [count]


def test_the_largest_epoch_does_not_overflow() -> None:
    shares = [2**30, 2**30 - 1]
    strata, turns = Interleave(shares).locate(np.array([0, 2**31 - 2]))
    assert strata.tolist() == [0, 1] or strata.tolist() == [0, 0]
    assert Interleave(shares).counts_before(2**31 - 1).tolist() == shares
    assert turns[0] == 0
    assert turns[1] == shares[strata[1]] - 1


@given(
    patterns=st.integers(1, 9).flatmap(
        lambda n: st.lists(st.lists(st.integers(0, 20), min_size=n, max_size=n), min_size=1)
    ),
    share=st.floats(0, 1),
)
def test_patterns_are_orders_of_their_own(patterns: list[list[int]], share: float) -> None:
    together = Interleave(patterns)
    draws = np.concatenate([np.arange(sum(shares)) for shares in patterns])
    which = np.repeat(np.arange(len(patterns)), [sum(shares) for shares in patterns])
    strata, turns = together.locate(draws, which)
    for number, shares in enumerate(patterns):
        alone = Interleave(shares)
        expected = alone.locate(np.arange(sum(shares)))
        assert strata[which == number].tolist() == expected[0].tolist()
        assert turns[which == number].tolist() == expected[1].tolist()
        draw = int(share * sum(shares))
        counts = alone.counts_before(draw).tolist()
        assert together.counts_before(draw, number).tolist() == counts
        for stratum, count in enumerate(counts):
            assert together.turns_before(np.array([draw]), stratum, number).tolist() == [count]
