import json
import math
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, strategies as st

from collapse_guard.errors import ArgumentError
from collapse_guard.mixing import MixGuard
from collapse_guard.mixing.floor import golden_fraction
from tests.mixing.conftest import Count


def test_a_plan_in_rows_is_the_plan_in_their_tokens() -> None:
    rows = MixGuard.plan(1000, 3000, 5e5, tokens_per_row=100, human_fraction=0.25)
    assert rows == MixGuard.plan(1e5, 3e5, 5e5, human_fraction=0.25)


def test_it_compares_floors_and_says_which_can_be_held() -> None:
    plan = MixGuard.plan(1e5, 3e5, 1e6, human_fraction=0.3)
    assert plan.asked == plan.at(0.3)
    shares = [floor.human_share for floor in plan.compared]
    assert shares == sorted(shares)
    assert all(floor == plan.at(floor.human_share) for floor in plan.compared)
    assert (plan.least_share, plan.largest_share) == (0.0, pytest.approx(0.4))
    assert plan.at(plan.largest_share).fits
    assert not plan.at(plan.largest_share + 0.01).fits


def test_the_golden_weight_is_that_of_the_mix() -> None:
    plan = MixGuard.plan(1e5, 3e5, 1e6, human_fraction="golden")
    assert plan.golden is plan.asked
    assert plan.golden is not None
    assert plan.golden.human_share == float(golden_fraction(1, 3))
    assert "golden" in str(plan)
    assert MixGuard.plan(1e5, 0, 1e6).golden is None


def test_few_synthetic_rows_set_a_least_share() -> None:
    plan = MixGuard.plan(1e6, 1e5, 1e6)
    assert plan.least_share == pytest.approx(0.6)
    assert not plan.at(0.59).fits
    assert plan.at(0.61).fits


def test_too_many_tokens_for_all_rows_are_told() -> None:
    plan = MixGuard.plan(1e5, 1e5, 1e6)
    assert plan.least_share > plan.largest_share
    assert "No floor lasts: all rows 4 times are 800,000 tokens" in str(plan)


def test_it_is_plain_data() -> None:
    plan = MixGuard.plan(1e5, 0, 1e6, human_fraction=[(0.5, 1.0), (1.0, 0.5)])
    told = json.loads(json.dumps(plan.to_dict(), allow_nan=False))
    assert told["asked"]["human_share"] == 0.75
    assert told["golden"] is None
    assert len(told["compared"]) == len(plan.compared)


def test_it_is_said_in_plain_words() -> None:
    lines = str(MixGuard.plan(1e6, 9e6, 2e7, human_fraction=0.25)).splitlines()
    assert lines[0] == (
        "20,000,000 tokens to train on, of 1,000,000 human and 9,000,000 synthetic ones, "
        "no row more than 4 times"
    )
    assert lines[1].startswith("5.0% human: human rows 1.00 times, synthetic rows 2.11 times")
    assert [line.split(":")[0] for line in lines[3:5]] == [
        "25.0% human (asked for)",
        "28.2% human (golden)",
    ]
    assert lines[-2] == "Floors from 0.0% to 20.0% can be held to the end."
    assert "fitted on pre-training" in lines[-1]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"human": 0}, "`human` expected a number of at least 1"),
        ({"human": math.inf}, "`human` expected a number of at least 1"),
        ({"human": [1, 2]}, "`human` expected a number of at least 1"),
        ({"synthetic": -1}, "`synthetic` expected a number of at least 0"),
        ({"synthetic": None}, "`synthetic` expected a number of at least 0"),
        ({"tokens": 0}, "`tokens` expected a number of at least 1"),
        ({"tokens": "1e6"}, "`tokens` expected a number of at least 1"),
        ({"max_repeats": 0}, "`max_repeats` expected a whole number from 1"),
        ({"tokens_per_row": 0}, "`tokens_per_row` expected a number of at least 1"),
        ({"human_fraction": 1.5}, "`human_fraction` expected a number from 0 to 1"),
        ({"human_fraction": "gold"}, "`human_fraction` expected a number from 0 to 1"),
        ({"human_fraction": [0.1, 0.2]}, "`human_fraction` expected a share, or a list of stages"),
        ({"synthetic": 0, "human_fraction": "golden"}, "`human_fraction` expected a share"),
    ],
)
def test_what_is_no_number_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        MixGuard.plan(**{"human": 10, "synthetic": 10, "tokens": 10, **settings})


@given(
    human=st.integers(1, 60),
    synthetic=st.integers(1, 60),
    blocks=st.integers(1, 30),
    tenths=st.integers(1, 9),
    cap=st.integers(1, 5),
)
def test_the_guard_does_what_the_plan_says(
    human: int, synthetic: int, blocks: int, tenths: int, cap: int
) -> None:
    """With a row for a token, and blocks that the floor needs no rounding for."""
    share, slots = Fraction(tenths, 10), 10 * blocks
    plan = MixGuard.plan(human, synthetic, slots, human_fraction=share, max_repeats=cap).asked
    assert plan is not None

    def guard() -> MixGuard:
        return MixGuard(
            Count(human),
            Count(synthetic),
            human_fraction=share,
            block_size=10,
            length=slots,
            max_repeats=cap,
        )

    if not plan.fits:
        with pytest.raises(ArgumentError, match="`length` expected at most"):
            guard()
        return
    report = guard().report()
    assert report.human_share == plan.human_share
    for name, times in (("human", plan.human_times), ("synthetic", plan.synthetic_times)):
        source = report.source(name)
        assert source.shown / source.rows == pytest.approx(times)
