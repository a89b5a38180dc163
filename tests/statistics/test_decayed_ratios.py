import math

import numpy as np
import pytest
from hypothesis import given, strategies as st

from collapse_guard.statistics.decayed_ratios import DecayedRatios, decayed_ratios
from collapse_guard.statistics.estimates import ratio


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 5), min_size=1, max_size=8))
def test_it_is_the_weighted_ratio_of_all_documents(seed: int, parts: list[int]) -> None:
    random, memory = np.random.default_rng(seed), 4.0
    numbers = sum(parts)
    n, d = random.normal(size=(numbers, 2)), random.integers(0, 4, (numbers, 2)).astype(float)
    ratios = DecayedRatios(2, memory)
    for part in np.split(np.arange(numbers), np.cumsum(parts)[:-1]):
        ratios.add(n[part], d[part])
    weights = np.exp(-np.arange(numbers)[::-1] / memory)
    for each, estimate in enumerate(decayed_ratios(ratios.sums, ratios.weights)):
        expected = ratio(weights * n[:, each], weights * d[:, each])
        assert estimate.value == pytest.approx(expected.value, nan_ok=True, rel=1e-6)
        if numbers > 1 and d[:, each].all():
            spread = estimate.standard_error * math.sqrt((estimate.units - 1) / estimate.units)
            naive = expected.standard_error * math.sqrt((numbers - 1) / numbers)
            assert spread == pytest.approx(naive, rel=1e-4, abs=1e-6)


def test_all_alike_it_is_the_plain_ratio() -> None:
    random = np.random.default_rng(0)
    n, d = random.normal(size=(30, 1)), np.ones((30, 1))
    ratios = DecayedRatios(1, math.inf)
    ratios.add(n, d)
    estimate, expected = decayed_ratios(ratios.sums, ratios.weights)[0], ratio(n[:, 0], d[:, 0])
    assert estimate.value == pytest.approx(expected.value)
    assert estimate.standard_error == pytest.approx(expected.standard_error)
    assert estimate.units == pytest.approx(30)


def test_nothing_yet_is_no_number() -> None:
    ratios = DecayedRatios(1, 10.0)
    assert all(map(math.isnan, decayed_ratios(ratios.sums, ratios.weights)[0][:2]))


def test_state_goes_on() -> None:
    random = np.random.default_rng(0)
    whole, resumed = DecayedRatios(1, 5.0), DecayedRatios(1, 5.0)
    whole.add(random.normal(size=(7, 1)), np.ones((7, 1)))
    resumed.load_state_dict(whole.state_dict())
    for each in (whole, resumed):
        each.add(np.ones((2, 1)), np.ones((2, 1)))
    np.testing.assert_array_equal(whole.sums, resumed.sums)
    np.testing.assert_array_equal(whole.weights, resumed.weights)
