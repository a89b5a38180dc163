"""Numbers at even distances, from end to end."""

import numpy as np
import pytest

from collapse_guard.spacing import evenly_spaced


@pytest.mark.parametrize(("count", "many"), [(2, 2), (2, 100), (7, 30), (30, 30), (12, 13)])
def test_they_are_at_even_distances_from_end_to_end(count: int, many: int) -> None:
    numbers = evenly_spaced(count, many)
    assert numbers.dtype == np.int64
    assert (numbers[0], numbers[-1]) == (0, many - 1)
    steps = np.diff(numbers)
    assert steps.min() >= 1
    assert steps.max() - steps.min() <= 1


def test_few_or_none() -> None:
    assert evenly_spaced(1, 9).tolist() == [0]
    assert evenly_spaced(0, 9).tolist() == []
    assert evenly_spaced(3, 1).tolist() == [0, 0, 0]
