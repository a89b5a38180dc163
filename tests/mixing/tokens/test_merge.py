from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, strategies as st

from collapse_guard.mixing.tokens.merge import MOST_TOKENS, _scaled_up, merge

LENGTHS = st.lists(st.integers(0, 30) | st.integers(1, 10_000), max_size=60)


def one_by_one(human: list[int], synthetic: list[int]) -> list[bool]:
    """The rule slot by slot: a synthetic row wherever the balance allows the next one."""
    share = Fraction(sum(human), max(sum(human) + sum(synthetic), 1))
    ours, theirs, balance, order = list(human), list(synthetic), Fraction(0), []
    while ours or theirs:
        is_human = not theirs or balance - share * theirs[0] < 0
        balance += (1 - share) * ours.pop(0) if is_human else -share * theirs.pop(0)
        order.append(is_human)
    return order


@given(human=LENGTHS, synthetic=LENGTHS)
def test_it_is_the_rule_that_the_proof_speaks_of(human: list[int], synthetic: list[int]) -> None:
    merged = merge(np.array(human, dtype=np.int32), np.array(synthetic, dtype=np.int32))
    assert merged.tolist() == one_by_one(human, synthetic)


@given(human=LENGTHS.filter(any), synthetic=LENGTHS.filter(any))
def test_any_rows_in_a_row_hold_the_share_less_one_longest_row(
    human: list[int], synthetic: list[int]
) -> None:
    is_human = merge(np.array(human), np.array(synthetic))
    tokens = np.zeros(len(is_human), dtype=object)
    tokens[is_human], tokens[~is_human] = human, synthetic
    every, ours = sum(human) + sum(synthetic), sum(human)
    # The balance times all tokens, so that it is whole; windows are differences of it.
    balance = np.concatenate([[0], np.cumsum(np.where(is_human, every - ours, -ours) * tokens)])
    assert min(balance) == 0 == balance[-1]
    falls = np.maximum.accumulate(balance) - balance
    longest = ours * max(synthetic) + (every - ours) * max(human)
    assert max(falls) < longest <= every * max(*human, *synthetic)


def test_one_kind_alone_is_left_as_it_is() -> None:
    none, some = np.zeros(0, dtype=np.int32), np.array([3, 0, 5], dtype=np.int32)
    assert merge(some, none).all()
    assert not merge(none, some).any()
    assert len(merge(none, none)) == 0


@given(data=st.data())
def test_scaling_is_exact_whatever_the_size(data: st.DataObject) -> None:
    sizes = st.integers(1, 50) | st.integers(2**31, 2**41) | st.integers(1, MOST_TOKENS)
    numerator, denominator = data.draw(st.just(0) | sizes), data.draw(sizes)
    numbers = data.draw(st.lists(st.integers(0, denominator), min_size=1, max_size=5))
    scaled = _scaled_up(np.array(numbers, dtype=np.int64), numerator, denominator)
    assert scaled.tolist() == [-(-number * numerator // denominator) for number in numbers]


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_neither_kind_comes_in_a_clump(share: float) -> None:
    """Rows of one length are spread as a floor of rows spreads them: to within one row."""
    human, synthetic = round(1000 * share), round(1000 * (1 - share))
    merged = merge(np.full(human, 7), np.full(synthetic, 7))
    ahead = np.cumsum(merged) - share * np.arange(1, 1001)
    assert ahead.min() > -1e-9
    assert ahead.max() < 1
