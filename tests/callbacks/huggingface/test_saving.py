"""A wish for one checkpoint, among what a Trainer sets and clears."""

from pathlib import Path

import pytest
from transformers.trainer_utils import SaveStrategy

from collapse_guard.callbacks.huggingface.records import TrainerEvent
from collapse_guard.callbacks.huggingface.saving import SaveOnce
from tests.callbacks.huggingface.runs import make_trainer


@pytest.fixture
def event(tmp_path: Path) -> TrainerEvent:
    trainer = make_trainer(tmp_path)
    return TrainerEvent(trainer.args, trainer.state, trainer.control, {})


def test_a_wish_lasts_until_it_is_fulfilled(event: TrainerEvent) -> None:
    saving = SaveOnce()
    saving.remind(event)
    assert not event.control.should_save
    saving.wish(event)
    assert event.control.should_save
    # A step begins.
    event.control.should_save = False
    saving.remind(event)
    assert event.control.should_save
    saving.fulfilled(event)
    event.control.should_save = False
    saving.remind(event)
    assert not event.control.should_save


def test_a_wish_of_another_training_is_forgotten(event: TrainerEvent) -> None:
    saving = SaveOnce()
    saving.wish(event)
    event.control.should_save = False
    saving.forget()
    saving.remind(event)
    assert not event.control.should_save


def test_saving_the_best_alone_is_put_off_for_one_checkpoint(event: TrainerEvent) -> None:
    saving = SaveOnce()
    event.args.save_strategy = SaveStrategy.BEST
    saving.insist(event)
    assert event.args.save_strategy == SaveStrategy.BEST
    saving.wish(event)
    saving.insist(event)
    assert event.args.save_strategy == SaveStrategy.STEPS
    saving.fulfilled(event)
    assert event.args.save_strategy == SaveStrategy.BEST


@pytest.mark.parametrize("strategy", [SaveStrategy.NO, SaveStrategy.EPOCH])
def test_other_strategies_stay(event: TrainerEvent, strategy: SaveStrategy) -> None:
    saving = SaveOnce()
    event.args.save_strategy = strategy
    saving.wish(event)
    saving.insist(event)
    saving.fulfilled(event)
    assert event.args.save_strategy == strategy
