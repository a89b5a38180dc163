"""Estimators over counts keep their digits, whatever the counts."""

from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

from collapse_guard.diversity.abundance import absence, plug_in
from collapse_guard.errors import ArgumentError


@pytest.mark.parametrize("total", [10**3, 10**6, 10**9, 10**12])
def test_absence_keeps_its_digits_in_very_long_texts(total: int) -> None:
    # A difference of log-gammas is off by 10^-6 here at 10^9, a tenfold of the answer itself.
    for count in (1, 2, 100):
        exact = Fraction(1)
        for place in range(count):
            exact *= Fraction(total - 150 - place, total - place)
        found = absence(np.array([count]), total, 150)
        assert 1 - found[0] == pytest.approx(float(1 - exact), rel=1e-3)
        assert found[0] == pytest.approx(float(exact), rel=1e-14)


def test_counts_of_any_size_and_order() -> None:
    counts = np.array([0, 3, 1 << 25, 1, 3])
    total = int(counts.sum())
    expected = [stats.hypergeom(total, count, 150).pmf(0) for count in counts]
    assert absence(counts, total, 150) == pytest.approx(expected)
    assert absence(counts, total, total).tolist() == [1, 0, 0, 0, 0]
    # The commonest type is missed by one draw with a probability of 7 / total only.
    assert absence(counts, total, 1)[2] == pytest.approx(7 / total)


def test_no_counts_are_named() -> None:
    with pytest.raises(ArgumentError, match="at least one token"):
        plug_in(np.zeros(3, dtype=np.int64))
