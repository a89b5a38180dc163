import math

import numpy as np
import pytest
from scipy import stats

from collapse_guard.examples.over_seeds import Interval, over_seeds


def test_intervals_are_students() -> None:
    values = [0.1, 0.4, 0.2, 0.5]
    low, high = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))
    found = over_seeds(values)
    assert (found.mean - found.half_width, found.mean + found.half_width) == pytest.approx(
        (low, high), rel=1e-6
    )
    # Of 1, 2, 3: t(0.975, 2) = 4.3027 times 1 / sqrt(3).
    assert over_seeds([1.0, 2.0, 3.0]) == Interval(2.0, pytest.approx(2.4841, abs=1e-3))


def test_of_one_seed_there_is_a_value_and_of_nan_a_dash() -> None:
    assert math.isnan(over_seeds([1.0]).half_width)
    assert f"{over_seeds([1.0]):.1f}" == "1.0"
    assert f"{over_seeds([math.nan]):.1f}" == "-"
    assert f"{over_seeds([1.0, 2.0, 3.0]):+.2f}" == "+2.00 ± 2.48"
