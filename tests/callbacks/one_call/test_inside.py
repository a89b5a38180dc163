from pathlib import Path

import pytest
from transformers import Trainer

from collapse_guard import ArgumentError, EveryNSteps
from collapse_guard.callbacks import watching_trainers
from tests.callbacks.huggingface.runs import Recorder, fingerprint, make_trainer, readings_in
from tests.callbacks.one_call.people import people_write, word_tokenizer

HELD_OUT = people_write(80, seed=5)


def program(folder: Path, *callbacks: Recorder, times: int = 1) -> Trainer:
    """Makes a trainer and trains it at once."""
    trainer = make_trainer(folder, callbacks=callbacks, max_steps=4)
    trainer.processing_class = word_tokenizer()
    for _ in range(times):
        trainer.train()
    return trainer


@pytest.mark.slow
def test_a_trainer_that_is_made_inside_is_watched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = fingerprint(program(tmp_path))
    tracker = Recorder()
    with watching_trainers(held_out=HELD_OUT, pace=EveryNSteps(2), on_error="raise") as watched:
        beside = fingerprint(program(tmp_path, tracker))
        program(tmp_path, times=2)
    assert beside == alone
    # A tracker gets them too, which a callback among the arguments could not see to.
    assert [record["step"] for record in readings_in(tracker.records)] == [0, 2, 4]
    assert len(watched) == 2
    assert [look.step for look in watched[0].monitor.history] == [0, 2, 4]
    assert capsys.readouterr().out.count("collapse_guard watches") == 2


def test_afterwards_all_is_as_it_was(tmp_path: Path) -> None:
    train = Trainer.train
    with pytest.raises(ArgumentError, match="`held_out`"), watching_trainers():
        program(tmp_path)
    assert Trainer.train is train
    assert program(tmp_path).state.global_step == 4
