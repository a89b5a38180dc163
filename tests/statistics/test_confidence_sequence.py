import math

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy import stats

from collapse_guard import ArgumentError
from collapse_guard.statistics.confidence_sequence import half_width, spending

alphas = st.floats(1e-4, 0.2)
looks = st.integers(1, 10**7)


@given(alphas, st.integers(1, 3000))
def test_no_number_of_looks_spends_more_than_alpha(alpha: float, looks: int) -> None:
    spent = math.fsum(spending(alpha, look) for look in range(1, looks + 1))
    # What is left after k looks is the telescope's last term.
    assert spent == pytest.approx(alpha * (1 - 1 / math.log2(looks + 2)), rel=1e-9)


@given(alphas, looks, st.integers(2, 3000))
def test_a_look_errs_no_more_often_than_it_may(alpha: float, look: int, units: int) -> None:
    reach = half_width(1.0, units, alpha=alpha, look=look)
    assert stats.t.sf(reach, units - 1) <= spending(alpha, look) * (1 + 1e-9)


@given(st.floats(1e-4, 0.05), looks, st.integers(50, 3000))
def test_it_is_not_much_wider_than_it_must_be(alpha: float, look: int, units: int) -> None:
    reach = half_width(1.0, units, alpha=alpha, look=look)
    needed = stats.t.isf(spending(alpha, look), units - 1)
    assert reach <= needed * 1.15 + 0.2


@given(alphas, looks, st.floats(2, 1e4), st.floats(0, 1e3))
def test_it_grows_with_looks_and_error_and_falls_with_documents(
    alpha: float, look: int, units: float, error: float
) -> None:
    reach = half_width(error, units, alpha=alpha, look=look)
    assert reach <= half_width(error, units, alpha=alpha, look=look + 1)
    assert reach <= half_width(error, units / 1.5, alpha=alpha, look=look)
    assert reach == pytest.approx(error * half_width(1.0, units, alpha=alpha, look=look))


def test_many_documents_are_like_an_exact_error() -> None:
    exact = half_width(0.1, math.inf, alpha=0.01, look=100)
    assert half_width(0.1, 1e9, alpha=0.01, look=100) == pytest.approx(exact, rel=1e-6)


@pytest.mark.parametrize("law", ["normal", "laplace", "t", "coin"])
def test_whole_runs_of_dependent_looks_err_at_most_alpha(law: str) -> None:
    """Looks of a run that share their documents, and move together: the hard case, at the limit."""
    random, alpha, runs, documents = np.random.default_rng(0), 0.05, 2000, 40
    draw = {
        "normal": lambda size: random.normal(size=size),
        "laplace": lambda size: random.laplace(size=size),
        "t": lambda size: random.standard_t(4, size=size),
        "coin": lambda size: random.choice([-1.0, 1.0], size=size),
    }[law]
    fixed = draw((runs, documents))
    alarmed = np.zeros(runs, dtype=bool)
    for look in range(1, 101):
        errors = fixed + 0.3 * draw((runs, documents))
        means = errors.mean(1)
        standard = errors.std(1, ddof=1) / math.sqrt(documents)
        alarmed |= means > half_width(1.0, documents, alpha=alpha, look=look) * standard
    assert 0 < alarmed.mean() <= alpha or (law == "coin" and alarmed.mean() <= alpha)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"alpha": 0.0, "look": 1}, "`alpha`"),
        ({"alpha": 1.0, "look": 1}, "`alpha`"),
        ({"alpha": math.nan, "look": 1}, "`alpha`"),
        ({"alpha": 0.1, "look": 0}, "`look`"),
    ],
)
def test_bad_arguments(arguments: dict, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        half_width(1.0, 10, **arguments)
