import math

import numpy as np
import pytest
from scipy import optimize

from collapse_guard.mixing.golden import golden_fraction


def settled_variance(weight: float, num_human: int, num_synthetic: int) -> float:
    """Of a chain of means, each of fresh human samples and its predecessor's, run to its end."""
    variance = 0.0
    for _ in range(20_000):
        before = variance
        synthetic = variance + 1 / num_synthetic
        variance = weight**2 / num_human + (1 - weight) ** 2 * synthetic
        if abs(variance - before) < 1e-16:
            break
    return variance


@pytest.mark.parametrize(
    ("num_human", "num_synthetic"), [(100, 100), (100, 1000), (1000, 100), (30, 70)]
)
def test_it_is_where_a_chain_of_models_has_the_least_variance(
    num_human: int, num_synthetic: int
) -> None:
    best = optimize.minimize_scalar(
        settled_variance,
        bounds=(0.01, 1),
        args=(num_human, num_synthetic),
        method="bounded",
        options={"xatol": 1e-7},
    )
    assert float(golden_fraction(num_human, num_synthetic)) == pytest.approx(best.x, abs=1e-4)


def test_as_many_synthetic_rows_as_human_ones_give_the_golden_ratio() -> None:
    golden_ratio = (1 + math.sqrt(5)) / 2
    assert float(golden_fraction(7, 7)) == pytest.approx(1 / golden_ratio, abs=1e-11)


@pytest.mark.parametrize("k", [1e-9, 1e-3, 0.5, 2, 1e3, 1e9])
def test_it_is_the_formula_where_that_loses_no_digits(k: float) -> None:
    num_human, num_synthetic = (round(k * 10**9), 10**9) if k < 1 else (round(k), 1)
    k_exact = np.longdouble(num_human) / np.longdouble(num_synthetic)
    expected = (np.sqrt(k_exact * k_exact + 4 * k_exact) - k_exact) / 2
    weight = golden_fraction(num_human, num_synthetic)
    assert float(weight) == pytest.approx(float(expected), abs=1e-9)
    assert num_human / (num_human + num_synthetic) - 1e-12 <= weight <= 1
