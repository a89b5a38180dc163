"""An event is told apart by the progress that it carries."""

import gc
from pathlib import Path

from transformers import TrainerState

from collapse_guard.callbacks.huggingface.trainers import JoinedTrainers
from tests.callbacks.huggingface.runs import make_trainer


def test_the_trainer_of_a_state_is_found_among_those_that_were_joined(tmp_path: Path) -> None:
    first, second, stranger = (make_trainer(tmp_path) for _ in range(3))
    joined = JoinedTrainers()
    for trainer in (first, second, first):
        joined.join(trainer)
    assert joined.of(first.state) is first
    assert joined.of(second.state) is second
    assert joined.of(stranger.state) is None
    # Each training begins with a new one.
    old, first.state = first.state, TrainerState()
    assert joined.of(old) is None
    assert joined.of(first.state) is first


def test_a_trainer_is_not_kept_alive(tmp_path: Path) -> None:
    trainer, joined = make_trainer(tmp_path), JoinedTrainers()
    joined.join(trainer)
    state = trainer.state
    del trainer
    gc.collect()
    assert joined.of(state) is None
