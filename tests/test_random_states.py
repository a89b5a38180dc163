"""The user's random states are told apart, and put back."""

import random
from unittest import mock

import numpy as np
import pytest
import torch

from collapse_guard.random_states import (
    random_states,
    random_states_kept,
    seed_random_states,
)

DRAWS = [random.random, np.random.rand, lambda: torch.rand(1)]


@pytest.mark.parametrize("draw", DRAWS)
def test_any_draw_is_seen_and_undone(draw) -> None:
    before = random_states()
    with random_states_kept():
        draw()
        assert random_states() != before
    assert random_states() == before


_SEEN: set[tuple[float, ...]] = set()


@pytest.mark.parametrize("_time", range(3))
def test_each_test_starts_in_the_same_ones(_time: int) -> None:
    _SEEN.add(tuple(float(draw()) for draw in DRAWS))
    assert len(_SEEN) == 1


def test_they_are_put_back_after_an_error() -> None:
    def seed_and_fail() -> None:
        random.seed(7)
        raise ZeroDivisionError

    before = random_states()
    with pytest.raises(ZeroDivisionError), random_states_kept():
        seed_and_fail()
    assert random_states() == before


@pytest.mark.parametrize("draw", DRAWS)
def test_they_are_set_by_a_seed_as_each_of_them_is_by_itself(draw) -> None:
    with random_states_kept():
        seed_random_states(7)
        ours = draw()
        random.seed(7), np.random.seed(7), torch.manual_seed(7)
        assert draw() == ours
        seed_random_states(8)
        assert draw() != ours


def test_devices_are_set_to_the_states_of_their_own_generators() -> None:
    """A generator of the CPU stands in for those of a GPU, which `make gpu-check` has."""
    device = torch.device("cpu")
    before = random_states()
    with random_states_kept(), mock.patch.object(torch.cuda, "set_rng_state") as set_state:
        seed_random_states(7, [device])
    ((state, where),) = (call.args for call in set_state.call_args_list)
    assert where == device
    assert torch.equal(state, torch.Generator(device).manual_seed(7).get_state())
    assert random_states() == before
