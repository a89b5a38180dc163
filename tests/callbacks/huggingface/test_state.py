"""What a Trainer's checkpoints hold of a session, in the form that they always had."""

import json
from pathlib import Path

import pytest
from transformers import TrainerState

from collapse_guard import ArgumentError, CollapseMonitor
from collapse_guard.callbacks.huggingface.state import CheckpointedState
from tests.callbacks.huggingface.runs import guarded, make_trainer, readings_in
from tests.tiny import BRIEF, tiny_gpt2, tiny_panel

SESSION = {
    "monitor": {"pace": 1, "baseline": 2},
    "latest": {"eval_collapse/alerts": 0.0},
    "full": {"step": 6, "values": {"eval_collapse/alerts": 0.0}},
    "logs_next": False,
}
KEY = "collapse_guard/collapse"


def test_what_is_kept_is_the_monitor_the_last_full_look_and_whether_the_next_is_logged() -> None:
    state, kept = TrainerState(global_step=6), CheckpointedState("collapse")
    assert kept.of(state) == {}
    kept.keep(state, SESSION)
    parts = {part: SESSION[part] for part in ("monitor", "full", "logs_next")}
    assert state.stateful_callbacks[KEY] == parts
    assert kept.of(state) == {**parts, "latest": {}}
    assert CheckpointedState("code").of(state) == {}


def test_a_session_without_a_start_leaves_nothing() -> None:
    state, kept = TrainerState(), CheckpointedState("collapse")
    kept.keep(state, {})
    kept.keep_timing(state, CollapseMonitor(tiny_panel(), sampling=BRIEF))
    assert state.stateful_callbacks == {}


def test_the_timing_is_brought_up_to_date_alone() -> None:
    state, kept, monitor = TrainerState(), CheckpointedState("collapse"), _started()
    kept.keep(state, {**SESSION, "monitor": {**monitor.state_dict(), "pace": "old", "alarms": 1}})
    kept.keep_timing(state, monitor)
    told = kept.of(state)["monitor"]
    assert told == {**monitor.state_dict(), "alarms": 1}


def _started() -> CollapseMonitor:
    monitor = CollapseMonitor(tiny_panel(), sampling=BRIEF)
    monitor.start(tiny_gpt2())
    return monitor


def test_a_second_of_the_name_is_refused_when_training_begins() -> None:
    state, kept = TrainerState(), CheckpointedState("collapse")
    kept.refuse_another(state)
    kept.keep(state, SESSION)
    with pytest.raises(ArgumentError, match="`name` expected a name that no other callback"):
        kept.refuse_another(state)
    CheckpointedState("code").refuse_another(state)
    # In a run that is resumed it is one's own.
    state.global_step = 5
    kept.refuse_another(state)


def test_a_checkpoint_of_before_there_were_sessions_is_gone_on_with(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, save_strategy="steps", save_steps=8, max_steps=8)
    first = guarded(windows={8: 2}).attach(trainer)
    trainer.train()
    # As it was written then: nothing but these two, the record waiting to be logged.
    path = tmp_path / "checkpoint-8" / "trainer_state.json"
    told = json.loads(path.read_text())
    told["stateful_callbacks"][KEY] = {
        "monitor": json.loads(json.dumps(first.monitor.state_dict())),
        "unlogged": {"eval_collapse/tail_retention": 0.25, "eval_collapse/alerts": 0.0},
    }
    path.write_text(json.dumps(told))
    resumed = make_trainer(tmp_path / "resumed", logging_steps=3)
    callback = guarded(windows={}).attach(resumed)
    resumed.train(resume_from_checkpoint=str(path.parent))
    assert callback.monitor.baseline == first.monitor.baseline
    # Nobody knows any more at which step the record that waited was read: it is not logged.
    assert [r["step"] for r in readings_in(resumed.state.log_history)][-1] == 16
    assert all(r["step"] != 9 for r in readings_in(resumed.state.log_history))
