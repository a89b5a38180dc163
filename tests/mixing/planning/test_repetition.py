import math

import pytest
from hypothesis import given, strategies as st

from collapse_guard.mixing.planning.repetition import R_STAR, worth


@pytest.mark.parametrize(
    ("showings", "times_the_text"),
    # The equation, worked out by hand with R*_D = 15.387756.
    [(0.25, 0.25), (1.0, 1.0), (2.0, 1.968), (4.0, 3.726), (8.0, 6.624), (16.0, 10.582)],
)
def test_it_is_the_law_of_repeated_data(showings: float, times_the_text: float) -> None:
    assert worth(1e6, showings * 1e6) == pytest.approx(times_the_text * 1e6, rel=1e-3)


def test_after_r_star_repetitions_all_but_one_in_e_is_given() -> None:
    shown = 1 + R_STAR
    assert worth(1.0, shown) == pytest.approx(1 + R_STAR * (1 - 1 / math.e))


def test_four_showings_are_nearly_as_good_as_fresh_text() -> None:
    """What the paper's abstract says, and that much more is worth little."""
    assert worth(1.0, 4.0) / 4.0 > 0.93
    assert worth(1.0, 41.0) - worth(1.0, 40.0) < 0.1


amounts = st.floats(1e-3, 1e12)


@given(unique=amounts, shown=st.floats(0, 1e12), more=st.floats(0, 1e12))
def test_it_never_falls_and_never_exceeds_what_is_shown_or_the_limit(
    unique: float, shown: float, more: float
) -> None:
    counted = worth(unique, shown)
    assert 0 <= counted <= shown * (1 + 1e-9)
    assert counted <= (1 + R_STAR) * unique * (1 + 1e-9)
    assert worth(unique, shown + more) >= counted * (1 - 1e-9)


@given(unique=amounts, shown=amounts, scale=st.floats(1e-3, 1e3))
def test_it_knows_no_unit(unique: float, shown: float, scale: float) -> None:
    assert worth(unique * scale, shown * scale) == pytest.approx(scale * worth(unique, shown))
