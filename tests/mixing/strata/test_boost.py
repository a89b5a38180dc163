import dataclasses
import math
import re
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import collapse_guard
import collapse_guard.mixing
from collapse_guard.errors import ArgumentError
from collapse_guard.mixing import MixGuard
from collapse_guard.mixing.strata.boost import RareBoost
from tests.mixing.conftest import Count


def test_weights_run_from_one_to_the_boost() -> None:
    assert RareBoost(3.0, by=len).weights(5) == [1, Fraction(3, 2), 2, Fraction(5, 2), 3]
    assert RareBoost(3.0, by=len).weights(1) == [1]
    assert RareBoost(1.0, by=len).weights(2) == [1, 1]


@pytest.mark.parametrize("times", [0.5, -1, math.nan, math.inf, "2", None])
def test_times_below_one_are_refused(times: Any) -> None:
    with pytest.raises(ArgumentError, match="`times` expected a number of at least 1"):
        RareBoost(times, by="language")


@pytest.mark.parametrize("by", [None, 3, 0.5])
def test_what_cannot_say_what_is_rare_is_refused(by: Any) -> None:
    message = f"`by` expected a HumanReference, .* but got {re.escape(repr(by))}: build a reference"
    with pytest.raises(ArgumentError, match=message):
        RareBoost(3.0, by=by)


@pytest.mark.parametrize("num_strata", [1, 101, 2.5])
def test_a_number_of_strata_that_cannot_be_is_refused(num_strata: Any) -> None:
    message = "`num_strata` expected a whole number from 2 to 100"
    with pytest.raises(ArgumentError, match=message):
        RareBoost(3.0, by="language", num_strata=num_strata)


def test_a_column_is_a_name() -> None:
    with pytest.raises(ArgumentError, match="`column` expected the name of a column"):
        RareBoost(3.0, by="language", column=3)  # type: ignore[arg-type]


def test_it_cannot_be_changed_once_it_is_checked() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        RareBoost(3.0, by="language").times = 0.0  # type: ignore[misc]


@pytest.mark.parametrize("boost", [3.0, "language", np.arange(4)])
def test_the_guard_takes_nothing_else(boost: Any) -> None:
    with pytest.raises(ArgumentError, match="`boost` expected a RareBoost, or None"):
        MixGuard(Count(4), Count(4), human_fraction=0.5, block_size=2, boost=boost)


def test_it_is_public() -> None:
    assert collapse_guard.RareBoost is collapse_guard.mixing.RareBoost is RareBoost
