"""What a model draws in a look is put back; what another thread draws meanwhile stays drawn."""

import random
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from collapse_guard.model.undisturbed import _ENOUGH, undisturbed
from collapse_guard.random_states import random_states
from tests.model.another_thread import another_thread

DRAWS: dict[str, Callable[[], Any]] = {
    "python": random.random,
    "numpy": np.random.rand,
    "torch": lambda: float(torch.rand(())),
}
pytestmark = pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)


class Net(torch.nn.Module):
    """Gives what it is given, and draws a number or waits meanwhile where it is told to."""

    meanwhile: Callable[[], object] = staticmethod(lambda: None)

    def forward(self, given: int) -> int:
        self.meanwhile()
        return given


def look(model: Net, meanwhile: Callable[[], object] = lambda: None, **how: Any) -> None:
    model.meanwhile = meanwhile
    with undisturbed(model, **how):
        model(3)


def known() -> Net:
    """A model that was seen to draw nothing."""
    model = Net()
    for _ in range(_ENOUGH):
        look(model)
    return model


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads of the tests alone count, and not those that other tests' libraries have left."""
    others = threading.active_count() - 1
    count = threading.active_count
    monkeypatch.setattr(threading, "active_count", lambda: count() - others)


def seed() -> None:
    random.seed(3), np.random.seed(3), torch.manual_seed(3)


def test_what_another_thread_draws_stays_drawn(draw: Callable[[], Any]) -> None:
    seed()
    expected = [draw() for _ in range(4)]
    end, drawn, model = random_states(), [], known()
    seed()
    with another_thread() as do:
        for _ in range(4):
            look(model, lambda: do(lambda: drawn.append(draw())))
    assert drawn == expected
    assert random_states() == end


def test_what_a_model_draws_is_put_back_whoever_is_there(draw: Callable[[], Any]) -> None:
    model = Net()
    seed()
    look(model, draw)
    with another_thread():
        before = random_states()
        look(model, draw)
        assert random_states() == before


def test_a_model_that_draws_now_and_then_is_put_back_for_ever(draw: Callable[[], Any]) -> None:
    before = random_states()
    seldom = Net()
    with another_thread():
        look(seldom)
        # It may have been the other thread.
        look(seldom, draw)
        for _ in range(2 * _ENOUGH):
            look(seldom)
        look(seldom, draw)
        assert random_states() == before
    late = known()
    # It cannot have been another thread.
    look(late, draw)
    with another_thread():
        look(late, draw)
        assert random_states() == before


def test_of_a_model_that_nobody_knows_all_is_put_back(draw: Callable[[], Any]) -> None:
    with another_thread() as do:
        before = random_states()
        look(Net(), lambda: do(draw))
        assert random_states() == before


@pytest.mark.parametrize("how", [{"evaluate": False}, {"call": None}, {"call": "sample"}])
def test_other_calls_say_nothing_of_a_look(draw: Callable[[], Any], how: dict[str, Any]) -> None:
    model = known()
    with another_thread():
        before = random_states()
        look(model, draw, **how)
        assert random_states() == before
    look(model, draw, **how)
    with another_thread() as do:
        look(model, lambda: do(draw))
        assert random_states() != before


def test_a_look_that_fails_says_nothing_of_the_model(draw: Callable[[], Any]) -> None:
    model = Net()

    def fail() -> None:
        raise RuntimeError("inside")

    for _ in range(_ENOUGH):
        with pytest.raises(RuntimeError, match="inside"):
            look(model, fail)
    with another_thread():
        before = random_states()
        look(model, draw)
        assert random_states() == before
