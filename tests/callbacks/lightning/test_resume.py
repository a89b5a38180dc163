import json
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint

from collapse_guard import Threshold
from collapse_guard.callbacks import CollapseGuard
from tests.callbacks.lightning.runs import (
    ALWAYS_BROKEN,
    QUIET,
    LanguageModule,
    Recorder,
    every,
    fit,
    guarded,
    held_out,
    make_trainer,
    rows,
    small_looks,
    steps_looked_at,
)
from tests.looks import ON_HUMAN_TEXT
from tests.tiny import tiny_gpt2

pytestmark = QUIET


def test_a_resumed_run_goes_on_with_its_start(tmp_path: Path) -> None:
    rule = Threshold("perplexity", above=0.0, patience=3, alpha=None)

    def run(folder: Path, **arguments: Any) -> tuple[Recorder, CollapseGuard, CollapseGuard]:
        recorder = Recorder()
        first, second = guarded(every(4, rules=[rule])), guarded(every(8), name="second")
        saver = ModelCheckpoint(folder, filename="{step}", every_n_train_steps=8, save_top_k=-1)
        trainer = make_trainer(folder, first, second, saver, logger=recorder)
        module = LanguageModule(tiny_gpt2())
        fit(trainer, module, train_dataloaders=rows(shuffle=False), **arguments)
        return recorder, first, second

    whole, reference, _ = run(tmp_path / "whole")
    checkpoint = tmp_path / "whole" / "step=8.ckpt"
    resumed, guard, second = run(tmp_path / "resumed", ckpt_path=checkpoint)
    assert steps_looked_at(guard) == [12, 16]
    assert guard.monitor.history == reference.monitor.history[-2:]
    assert [alert.step for alert in guard.monitor.alerts] == [12]
    assert second.monitor.baseline == reference.monitor.baseline
    key = "collapse/tail_retention"
    assert resumed.of(key) == [(step, each) for step, each in whole.of(key) if step > 8]
    # Plain Python: Lightning loads checkpoints without pickled classes.
    states = torch.load(checkpoint, weights_only=True)["callbacks"]
    assert json.loads(json.dumps(states[guard.state_key])) == states[guard.state_key]


def test_a_resumed_run_offers_the_latest_readings_at_once(tmp_path: Path) -> None:
    class Looks(pl.Callback):
        def on_train_batch_start(self, trainer: pl.Trainer, *args: Any) -> None:
            self.offered = dict(trainer.callback_metrics)
            trainer.should_stop = True

    saver = ModelCheckpoint(tmp_path, filename="{step}", every_n_train_steps=8, save_top_k=-1)
    guard, looks = guarded(every(8)), Looks()
    fit(make_trainer(tmp_path, guard, saver))
    fit(make_trainer(tmp_path, guarded(every(8)), looks), ckpt_path=tmp_path / "step=8.ckpt")
    at_the_checkpoint = guard.monitor.history[1]
    for name in ON_HUMAN_TEXT:
        assert float(looks.offered[f"collapse/{name}"]) == pytest.approx(at_the_checkpoint[name])


def test_a_checkpoint_from_before_the_callback(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    saver = ModelCheckpoint(tmp_path, filename="{step}", every_n_train_steps=8, save_top_k=-1)
    fit(make_trainer(tmp_path, saver))
    guard = guarded(every(5))
    fit(make_trainer(tmp_path, guard), ckpt_path=tmp_path / "step=8.ckpt")
    assert "compare with the model at step 8" in caplog.text
    assert steps_looked_at(guard) == [8, 10, 15, 16]
    assert guard.monitor.history[0]["tail_retention"] == 1.0


def test_testing_a_checkpoint_leaves_the_run_where_it_is(tmp_path: Path) -> None:
    class Tested(LanguageModule):
        def test_step(self, batch: torch.Tensor, batch_idx: int) -> None:
            pass

    saver = ModelCheckpoint(tmp_path, filename="{step}", every_n_train_steps=8, save_top_k=-1)
    guard = guarded(every(1, rules=[ALWAYS_BROKEN]))
    trainer = make_trainer(tmp_path, guard, saver)
    fit(trainer, Tested())
    state = guard.state_dict()
    trainer.test(ckpt_path=tmp_path / "step=8.ckpt", dataloaders=held_out(), verbose=False)
    assert guard.state_dict() == state


def test_state_survives_json(tmp_path: Path) -> None:
    guard = guarded(every(5, rules=[ALWAYS_BROKEN]))
    assert guard.state_dict() == {}
    fit(make_trainer(tmp_path, guard))
    other = guarded(every(5, rules=[ALWAYS_BROKEN]))
    other.load_state_dict(json.loads(json.dumps(guard.state_dict())))
    assert other.state_dict() == guard.state_dict()
    assert other.monitor.alerts == guard.monitor.alerts != []


def test_whether_the_next_small_look_is_logged_is_kept(tmp_path: Path) -> None:
    saver = ModelCheckpoint(tmp_path, filename="{step}", every_n_train_steps=8, save_top_k=-1)
    guard, later = guarded(small_looks([])), guarded(small_looks([]))
    fit(make_trainer(tmp_path, guard, saver, log_every_n_steps=10))
    state = torch.load(tmp_path / "step=8.ckpt", weights_only=True)["callbacks"][guard.state_key]
    assert state["logs_next"] is False
    later.load_state_dict(state)
    assert later.state_dict() == state


def test_instances_are_told_apart_by_name(tmp_path: Path) -> None:
    assert guarded(name="a").state_key != guarded(name="b").state_key
    with pytest.raises(RuntimeError, match="state_key"):
        make_trainer(tmp_path, guarded(), guarded())


def test_a_started_monitor_keeps_its_start(tmp_path: Path) -> None:
    guard = guarded()
    guard.monitor.start(tiny_gpt2(seed=5))
    fit(make_trainer(tmp_path, guard))
    assert guard.monitor.history[0]["tail_retention"] == 1.0
    assert guard.monitor.history[1].step == 0
    assert guard.monitor.history[1]["tail_retention"] != 1.0


def test_a_run_resumes_from_a_checkpoint_that_a_validations_alert_saved(tmp_path: Path) -> None:
    guard = guarded(every(1_000, rules=[ALWAYS_BROKEN]), on_alert="save_and_stop")
    saver = ModelCheckpoint(tmp_path / "kept", every_n_train_steps=1_000, save_last=False)
    trainer = make_trainer(tmp_path, guard, saver, val_check_interval=4)
    fit(trainer, val_dataloaders=held_out())
    assert trainer.global_step == 4
    later = guarded(every(1_000, rules=[ALWAYS_BROKEN]))
    trainer = make_trainer(tmp_path, later, val_check_interval=4)
    with pytest.warns(UserWarning, match="resuming from a checkpoint that ended before the epoch"):
        fit(
            trainer,
            val_dataloaders=held_out(),
            ckpt_path=tmp_path / "kept" / "collapse-alert-4.ckpt",
        )
    assert trainer.global_step == 16
    assert steps_looked_at(later)[-2:] == [12, 16]
    assert len(later.monitor.alerts) == 1
