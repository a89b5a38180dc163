"""How a record gets among those of a Trainer."""

import logging
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from transformers import Trainer

from collapse_guard.callbacks.huggingface.records import (
    MOST_RECORDS,
    TrainerEvent,
    log_record,
    tell_of_missed_trackers,
)
from tests.callbacks.huggingface.runs import Recorder, make_trainer

RECORD = {"eval_collapse/tail_retention": 0.5}


def event_of(trainer: Trainer, **others: Any) -> TrainerEvent:
    trainer.state.global_step = 7
    return TrainerEvent(trainer.args, trainer.state, trainer.control, others)


def test_an_event_says_what_is_trained_and_how_far_it_has_come(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path)
    event = event_of(trainer, model=trainer.model)
    assert (event.model, event.optimizer, event.step) == (trainer.model, None, 7)
    assert event_of(trainer, optimizer="one").optimizer == "one"


@pytest.mark.parametrize("epoch", [None, 0.5])
def test_a_record_stands_by_itself_in_history_and_trackers(tmp_path: Path, epoch: Any) -> None:
    tracker = Recorder()
    trainer = make_trainer(tmp_path, callbacks=[tracker])
    event = event_of(trainer)
    trainer.state.epoch = epoch
    log_record(RECORD, event, trainer)
    expected = {**RECORD, "step": 7, **({} if epoch is None else {"epoch": epoch})}
    assert trainer.state.log_history == tracker.records == [expected]
    # What was handed in is nobody's to change.
    assert len(RECORD) == 1


def test_without_a_trainer_the_history_alone_has_it(tmp_path: Path) -> None:
    tracker = Recorder()
    trainer = make_trainer(tmp_path, callbacks=[tracker])
    event = event_of(trainer)
    log_record(RECORD, event, None)
    assert [record["step"] for record in trainer.state.log_history] == [7]
    assert tracker.records == []


def test_the_history_holds_a_bounded_number_of_ours_and_all_of_the_run_s(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path)
    event, steps = event_of(trainer), 3 * MOST_RECORDS
    for step in range(steps):
        trainer.state.global_step = step
        # A record of the run, and one of an evaluation, whose metrics have our readings too.
        if step % 3 == 0:
            trainer.state.log_history.append({"loss": 1.0, "step": step})
            trainer.state.log_history.append({"eval_loss": 1.0, **RECORD, "step": step})
        log_record(RECORD, event, None)
    history = trainer.state.log_history
    assert sum("loss" in record for record in history) == steps // 3
    assert sum("eval_loss" in record for record in history) == steps // 3
    ours = [record["step"] for record in history if not record.keys() & {"loss", "eval_loss"}]
    assert MOST_RECORDS / 3 <= len(ours) <= MOST_RECORDS + 256
    assert ours == sorted(set(ours))
    assert (ours[0], ours[-1]) == (0, steps - 1)
    # Nowhere is more than two thousandths of the run left out.
    assert max(after - before for before, after in pairwise(ours)) <= steps / 500


@pytest.mark.parametrize(("trackers", "told"), [([], False), (["one", "two"], True)])
def test_trackers_are_missed_where_there_are_any(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, trackers: list[str], told: bool
) -> None:
    trainer = make_trainer(tmp_path)
    trainer.args.report_to = trackers
    with caplog.at_level(logging.WARNING, "collapse_guard"):
        tell_of_missed_trackers(event_of(trainer))
    assert ("not one, two: call attach(trainer)" in caplog.text) == told
