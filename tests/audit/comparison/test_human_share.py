import math

import pytest

from collapse_guard.audit.comparison.coverage import Relative
from collapse_guard.audit.comparison.human_share import human_share


@pytest.mark.parametrize(
    ("ratio", "share"), [(0.0, 0.9), (0.6, 0.75), (0.8, 0.5), (0.9, 0.0), (1.3, 0.0)]
)
def test_the_mix_comes_to_the_target(ratio: float, share: float) -> None:
    found = human_share(Relative(ratio, ratio, ratio), 0.9)
    assert (found.value, found.low, found.high) == (share, share, share)
    assert found.value + (1 - found.value) * ratio >= 0.9 - 1e-9


def test_what_is_no_number_gives_none() -> None:
    assert math.isnan(human_share(Relative(math.nan, math.nan, math.nan), 0.9).value)


def test_the_worse_end_of_the_interval_asks_for_more() -> None:
    found = human_share(Relative(0.6, 0.2, 0.95), 0.9)
    assert (found.low, found.value, found.high) == (0.0, 0.75, 0.875)
