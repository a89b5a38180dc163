"""Numbers at even distances, from end to end."""

import numpy as np
import pytest

from collapse_guard.spacing import evenly_spaced, thinned_out


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


def test_what_is_thinned_out_lies_evenly_again() -> None:
    random = np.random.default_rng(0)
    for _ in range(20):
        steps = np.cumsum(random.integers(1, 5, 4_000)).tolist()
        places = thinned_out(steps, 500)
        assert (places[0], places[-1]) == (0, len(steps) - 1)
        apart = np.diff([steps[place] for place in places])
        least = (steps[-1] - steps[0]) / 500
        # The last lies wherever the run is.
        assert apart[:-1].min() >= least
        assert apart.max() < least + 5


def test_little_is_left_as_it_is() -> None:
    assert thinned_out([7], 10) == [0]
    assert thinned_out([7, 8], 10) == [0, 1]
    assert thinned_out([3, 3, 3], 10) == [0, 1, 2]
