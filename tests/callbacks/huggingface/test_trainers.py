"""An event is told apart by the progress that it carries."""

import gc
from pathlib import Path

from transformers import TrainerCallback, TrainerState

from collapse_guard.callbacks.huggingface.trainers import (
    JoinedTrainers,
    WhenAllHaveBegun,
    stand_last,
)
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


def test_those_that_stand_last_do_so_once(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path)
    others, ours = list(trainer.callback_handler.callbacks), [TrainerCallback(), TrainerCallback()]
    for _ in range(2):
        stand_last(trainer, *ours)
        assert trainer.callback_handler.callbacks == [*others, *ours]
        trainer.add_callback(late := TrainerCallback())
        others.append(late)


def test_what_waits_is_told_when_all_others_have_begun(tmp_path: Path) -> None:
    class Tracker(TrainerCallback):
        def on_train_begin(self, args, state, control, **kwargs) -> None:
            order.append("tracker")

    order: list[str] = []
    trainer = make_trainer(tmp_path, callbacks=[Tracker()], max_steps=1)
    stand_last(
        trainer, WhenAllHaveBegun(lambda args, state, control, model, **_: order.append("we"))
    )
    trainer.add_callback(Tracker())
    trainer.train()
    # One that comes after it is the caller's to set right, as `stand_last` does.
    assert order == ["tracker", "we", "tracker"]
