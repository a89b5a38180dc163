"""What is foreseen of the boundary is what it asks for."""

import math

import numpy as np
import pytest

from collapse_guard import ArgumentError
from collapse_guard.statistics.confidence_sequence import half_width
from collapse_guard.statistics.foreseen_reach import LOOKS, foreseen_reach
from tests.alarm_power import boundary_of


@pytest.mark.parametrize(
    ("alpha", "documents"), [(0.01, 10), (0.01, 30), (0.01, 300), (0.05, 100), (0.2, 30)]
)
def test_it_is_what_the_boundary_comes_to(alpha: float, documents: int) -> None:
    drawn = [boundary_of(documents, LOOKS, 0.2, seed, alpha=alpha)[-1] for seed in range(6)]
    assert foreseen_reach(alpha, documents) == pytest.approx(np.median(drawn), rel=0.1)


def test_it_is_no_less_where_little_may_cross() -> None:
    drawn = [boundary_of(30, LOOKS, 0.2, seed, alpha=0.001)[-1] for seed in range(6)]
    assert 1.0 < foreseen_reach(0.001, 30) / np.median(drawn) < 1.25


def test_it_is_the_union_bound_where_the_boundary_is() -> None:
    for alpha, at_same in ((0.0001, True), (0.01, False)):
        union = half_width(1.0, 50, alpha=alpha, look=LOOKS)
        assert foreseen_reach(alpha, 50, at_same=at_same) == union


def test_it_falls_with_documents_and_with_what_may_be_false() -> None:
    reaches = [foreseen_reach(0.01, documents) for documents in (1, 2, 5, 10, 30, 100, 1e6)]
    assert reaches == sorted(reaches, reverse=True)
    assert reaches[0] == math.inf
    assert foreseen_reach(0.2, 30) < foreseen_reach(0.01, 30) < foreseen_reach(0.001, 30)
    assert foreseen_reach(0.999, 30) >= 0.0


def test_what_is_no_probability_is_refused() -> None:
    with pytest.raises(ArgumentError, match="`alpha`"):
        foreseen_reach(1.0, 30)
