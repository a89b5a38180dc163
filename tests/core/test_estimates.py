import math

import numpy as np
import pytest
from scipy import stats

from collapse_guard.estimates import difference, document_mean, exponential, ratio


def test_document_mean_is_the_textbook_standard_error() -> None:
    values = np.array([1.0, 2.0, 4.0, math.nan, 8.0])
    estimate = document_mean(values)
    assert estimate.value == pytest.approx(3.75)
    assert estimate.standard_error == pytest.approx(stats.sem(values[~np.isnan(values)]))


def test_ratio_of_equal_denominators_is_a_mean() -> None:
    numerators = np.array([1.0, 5.0, 3.0])
    estimate = ratio(numerators, np.full(3, 2.0))
    assert estimate.value == pytest.approx(1.5)
    assert estimate.standard_error == pytest.approx(stats.sem(numerators / 2))


def test_standard_errors_match_the_spread_over_many_draws() -> None:
    generator = np.random.default_rng(0)
    values, errors = [], []
    for _ in range(2_000):
        sizes = generator.integers(5, 50, 40).astype(float)
        level = generator.normal(-3, 0.5, 40)
        estimate = exponential(ratio(level * sizes, sizes))
        values.append(estimate.value)
        errors.append(estimate.standard_error)
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.05)


def test_difference_of_paired_estimates_cancels_what_they_share() -> None:
    generator = np.random.default_rng(0)
    shared, noise = generator.normal(0, 10, 50), generator.normal(0, 0.1, 50)
    gap = difference(document_mean(shared + noise), document_mean(shared))
    assert gap.standard_error == pytest.approx(stats.sem(noise))
    same = difference(document_mean(shared), document_mean(shared))
    assert (same.value, same.standard_error) == (0.0, 0.0)


def test_exponential_is_the_delta_method() -> None:
    log = document_mean(np.array([-0.1, -0.2, -0.3]))
    level = exponential(log)
    assert level.value == pytest.approx(math.exp(-0.2))
    assert level.standard_error == pytest.approx(math.exp(-0.2) * log.standard_error)


def test_diverged_models_read_infinite_not_an_error() -> None:
    assert exponential(ratio(np.array([1e6, 1e6]), np.ones(2))).value == math.inf


def test_nothing_and_one_document_have_no_error() -> None:
    assert math.isnan(document_mean(np.array([math.nan])).value)
    assert math.isnan(ratio(np.zeros(2), np.zeros(2)).value)
    assert math.isnan(document_mean(np.array([1.0])).standard_error)
