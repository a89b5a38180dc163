"""The user's random states are told apart, and put back."""

import random

import numpy as np
import pytest
import torch

from collapse_guard.random_states import random_states, random_states_kept

DRAWS = [random.random, np.random.rand, lambda: torch.rand(1)]


@pytest.mark.parametrize("draw", DRAWS)
def test_any_draw_is_seen_and_undone(draw) -> None:
    before = random_states()
    with random_states_kept():
        draw()
        assert random_states() != before
    assert random_states() == before


def test_they_are_put_back_after_an_error() -> None:
    def seed_and_fail() -> None:
        random.seed(7)
        raise ZeroDivisionError

    before = random_states()
    with pytest.raises(ZeroDivisionError), random_states_kept():
        seed_and_fail()
    assert random_states() == before
