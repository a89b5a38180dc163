import math
from itertools import pairwise, permutations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, strategies as st
from scipy import stats

from collapse_guard.mixing.order.permutation import derive_keys, permute
from collapse_guard.scrambling import scramble
from tests.mixing import naive

words = st.integers(0, 2**64 - 1)


def whole_order(size: int, key: int) -> npt.NDArray[np.int64]:
    sizes, keys = np.full(size, size), np.full(size, key, dtype=np.uint64)
    return permute(np.arange(size), sizes, keys)


def many_orders(size: int, count: int) -> npt.NDArray[np.int64]:
    """`count` orders of `size` elements under the keys 0, 1, 2, ...: int64 [count, size]."""
    places = np.tile(np.arange(size), count)
    keys = np.repeat(np.arange(count, dtype=np.uint64), size)
    return permute(places, np.full(size * count, size), keys).reshape(count, size)


@given(size=st.integers(1, 5000), key=words)
def test_it_is_a_bijection(size: int, key: int) -> None:
    assert np.array_equal(np.sort(whole_order(size, key)), np.arange(size))


@given(
    size=st.integers(1, 2**31 - 1),
    key=words,
    shares=st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=20),
)
def test_it_agrees_with_plain_python(size: int, key: int, shares: list[float]) -> None:
    places = [int(share * size) for share in shares]
    n = len(places)
    permuted = permute(np.array(places), np.full(n, size), np.full(n, key, dtype=np.uint64))
    assert permuted.tolist() == [naive.permute(place, size, key) for place in places]


def test_sizes_and_keys_are_each_element_s_own() -> None:
    sizes = np.array([1, 2, 3, 1000, 2**31 - 1])
    keys = np.arange(5, dtype=np.uint64)
    together = permute(sizes - 1, sizes, keys)
    alone = [permute(sizes[[i]] - 1, sizes[[i]], keys[[i]])[0] for i in range(5)]
    assert together.tolist() == alone


@pytest.mark.parametrize("size", [10, 64, 100, 300])
def test_every_element_comes_to_every_place_equally_often(size: int) -> None:
    orders = many_orders(size, max(200_000 // size, 20 * size))
    seen = np.stack([np.bincount(column, minlength=size) for column in orders.T])
    expected = len(orders) / size
    chi_square = ((seen - expected) ** 2 / expected).sum()
    # All row and column sums are fixed, which leaves (size - 1)**2 free cells out of size**2.
    assert stats.chi2.sf(chi_square * (size - 1) / size, (size - 1) ** 2) > 1e-4


@pytest.mark.parametrize("size", [2, 3, 4])
def test_all_orders_of_a_few_elements_are_about_equally_likely(size: int) -> None:
    # Not exactly: six rounds on a grid of 2 x 2 cells run through 4**6 ways, no multiple of 4!.
    num_orders = math.factorial(size)
    orders = many_orders(size, 10_000 * num_orders)
    index = {order: i for i, order in enumerate(permutations(range(size)))}
    counts = np.bincount([index[tuple(order)] for order in orders.tolist()])
    assert len(counts) == num_orders
    assert np.abs(counts / 10_000 - 1).max() < 0.15


@pytest.mark.parametrize("size", [50, 1000, 4096])
def test_neighbours_do_not_stay_neighbours(size: int) -> None:
    orders = many_orders(size, 200_000 // size)
    gaps = np.abs(np.diff(orders, axis=1)).ravel()
    # Two different elements drawn at random are (size + 1) / 3 apart on average.
    error = (size / math.sqrt(18)) / math.sqrt(gaps.size)
    assert abs(gaps.mean() - (size + 1) / 3) < 5 * error
    adjacent = (gaps == 1).sum()
    assert abs(adjacent - gaps.size * 2 / size) < 5 * math.sqrt(gaps.size * 2 / size)


@pytest.mark.parametrize("size", [30, 1000])
def test_orders_of_neighbouring_keys_are_unrelated(size: int) -> None:
    orders = many_orders(size, 200_000 // size)
    fixed = (orders[1:] == orders[:-1]).sum(axis=1)
    # Two random orders agree in one place on average, with variance one.
    assert abs(fixed.mean() - 1) < 5 / math.sqrt(len(fixed))
    correlations = [stats.spearmanr(a, b).statistic for a, b in pairwise(orders)]
    assert abs(np.mean(correlations)) < 5 / math.sqrt((size - 1) * len(correlations))


def test_cycles_are_as_many_as_in_random_orders() -> None:
    size, orders = 200, many_orders(200, 500)
    counts = [_cycles(order) for order in orders.tolist()]
    expected = sum(1 / i for i in range(1, size + 1))
    assert abs(np.mean(counts) - expected) < 5 * math.sqrt(expected / len(counts))


def _cycles(order: list[int]) -> int:
    unseen, cycles = set(range(len(order))), 0
    while unseen:
        element = unseen.pop()
        cycles += 1
        while (element := order[element]) in unseen:
            unseen.remove(element)
    return cycles


@given(word=words)
def test_scramble_agrees_with_plain_python(word: int) -> None:
    assert scramble(np.array([word], dtype=np.uint64)).tolist() == [naive.scramble(word)]


def test_each_input_bit_moves_half_of_the_output_bits() -> None:
    start = np.arange(1000, dtype=np.uint64)
    for bit in range(64):
        flipped = scramble(start) ^ scramble(start ^ np.uint64(1 << bit))
        assert abs(np.bitwise_count(flipped).mean() - 32) < 5 * 4 / math.sqrt(1000)


def test_keys_differ_wherever_a_number_does() -> None:
    grid = np.stack(np.meshgrid(range(20), range(20), range(20), indexing="ij")).reshape(3, -1)
    keys = derive_keys(grid[0].astype(np.uint64), grid[1], grid[2])
    assert len(np.unique(keys)) == 20**3


def test_no_global_generator_is_touched() -> None:
    before = np.random.get_state()[1].copy()  # type: ignore[index]
    whole_order(1000, 3)
    assert np.array_equal(before, np.random.get_state()[1])  # type: ignore[index]
