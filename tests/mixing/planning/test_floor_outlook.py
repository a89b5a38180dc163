from fractions import Fraction
from typing import Any

import pytest

from collapse_guard.mixing.floor import human_stages
from collapse_guard.mixing.planning.floor_outlook import FloorOutlook, outlook_on


def outlook(human_fraction: Any, **settings: Any) -> FloorOutlook:
    amounts: dict[str, Any] = {"human": 100.0, "synthetic": 300.0, "tokens": 1000.0}
    return outlook_on(human_stages(human_fraction), **amounts | {"max_repeats": 4} | settings)


def test_rows_are_seen_as_often_as_their_share_of_the_tokens_goes_into_them() -> None:
    floor = outlook(0.3)
    assert (floor.human_share, floor.human_shown) == (0.3, pytest.approx(300))
    assert (floor.human_times, floor.synthetic_times) == (
        pytest.approx(3),
        pytest.approx(700 / 300),
    )
    assert floor.human_worth == pytest.approx(287.55, abs=0.01)
    assert floor.human_cost == pytest.approx(0.0415, abs=1e-4)
    assert floor.fits


@pytest.mark.parametrize(
    ("share", "held_for", "filled_for"), [(0.4, 1, 1), (0.5, 0.8, 1), (0.8, 0.5, 1), (1, 0.4, 1)]
)
def test_a_floor_is_held_until_its_rows_run_out(
    share: float, held_for: float, filled_for: float
) -> None:
    floor = outlook(share)
    assert floor.held_for == pytest.approx(held_for)
    assert floor.filled_for == filled_for
    assert floor.fits == (held_for == 1)


def test_synthetic_rows_can_run_out_too() -> None:
    floor = outlook(0.1, synthetic=100.0)
    assert floor.filled_for == pytest.approx(400 / 900)
    assert "synthetic rows out after 44%" in str(floor)


def test_a_floor_that_changes_uses_rows_up_as_it_goes() -> None:
    # All human for a fifth, which are 200 tokens, then half: 200 more last until 0.2 + 0.4.
    floor = outlook([(0.2, 1.0), (1.0, 0.5)])
    assert floor.human_share == pytest.approx(0.6)
    assert floor.human_times == pytest.approx(6)
    assert floor.held_for == pytest.approx(0.6)
    # 800 tokens of the function from 1 down to 0; each of its parts takes its larger end.
    falling = outlook(lambda progress: 1 - progress)
    assert falling.human_share == pytest.approx(0.5, abs=1e-3)
    # 400 tokens of 1000 t - 500 t^2.
    assert falling.held_for == pytest.approx(1 - 0.2**0.5, abs=1e-3)


def test_a_kind_without_rows_fills_nothing() -> None:
    floor = outlook(0.5, synthetic=0.0)
    assert (floor.synthetic_times, floor.synthetic_worth, floor.synthetic_cost) == (None,) * 3
    assert (floor.filled_for, floor.fits) == (0.0, False)
    assert "no synthetic rows; synthetic rows out after 0%" in str(floor)
    whole = outlook(1, synthetic=0.0, human=300.0)
    assert whole.fits
    assert (whole.synthetic_times, whole.synthetic_cost) == (0.0, 0.0)


def test_a_supply_that_suffices_exactly_suffices() -> None:
    for numerator in range(1, 100):
        share = Fraction(numerator, 100)
        assert outlook(share, human=float(1000 * share / 4), synthetic=1e4).fits
        assert not outlook(share, human=float(1000 * share / 4) * 0.999, synthetic=1e4).fits


def test_it_is_said_in_plain_words() -> None:
    assert str(outlook(0.5)) == (
        "human rows 5.00 times (worth 90%), synthetic rows 1.67 times (worth 99%); "
        "human rows out after 80%"
    )
    assert str(outlook(0.1, synthetic=900.0)) == (
        "human rows 1.00 times, synthetic rows 1.00 times; lasts to the end"
    )
