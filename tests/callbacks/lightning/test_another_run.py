"""Each `fit` is a run of its own, also with a callback that has watched others."""

from pathlib import Path

import pytest
from lightning.pytorch.callbacks import ModelCheckpoint

from collapse_guard import CollapseMonitor, Threshold
from collapse_guard.callbacks import CollapseGuard
from tests.callbacks.lightning.runs import (
    QUIET,
    LanguageModule,
    Recorder,
    every,
    fit,
    guarded,
    make_trainer,
    rows,
    steps_looked_at,
)
from tests.tiny import BRIEF, tiny_gpt2, tiny_panel

pytestmark = QUIET
BROKEN_ONCE = Threshold("perplexity", above=0.0, patience=2, alpha=None)


def guard_of(monitor: CollapseMonitor | None = None) -> CollapseGuard:
    return guarded(monitor or every(5, rules=[BROKEN_ONCE]))


def test_another_module_and_trainer_with_the_same_callback(tmp_path: Path) -> None:
    guard, records = guard_of(), []
    for seed in (5, 6):
        alone, recorder = guard_of(), Recorder()
        for each, logger in ((guard, recorder), (alone, False)):
            trainer = make_trainer(tmp_path, each, logger=logger)
            fit(trainer, LanguageModule(tiny_gpt2(seed=seed)))
        assert guard.monitor.history == alone.monitor.history
        assert guard.monitor.alerts == alone.monitor.alerts != []
        assert guard.monitor.baseline == alone.monitor.baseline
        records.append(recorder.of("collapse/tail_retention"))
    assert [[step for step, _ in each] for each in records] == [[0, 5, 10, 15, 16]] * 2
    assert records[0] != records[1]


def test_more_training_by_the_same_trainer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    guard, module = guard_of(), LanguageModule(tiny_gpt2())
    trainer = make_trainer(tmp_path, guard)
    fit(trainer, module)
    first, last = guard.monitor.baseline, guard.monitor.history[-1]
    assert "another run begins" not in caplog.text
    trainer.fit_loop.max_epochs = 3
    fit(trainer, module)
    assert caplog.text.count("another run begins at step 16") == 1
    assert "holds no usable state" not in caplog.text
    assert guard.monitor.baseline != first
    assert guard.monitor.history[0]["tail_retention"] == 1.0
    assert guard.monitor.history[0]["perplexity"] == pytest.approx(last["perplexity"])
    assert steps_looked_at(guard) == [16, 20, 24]
    assert [alert.step for alert in guard.monitor.alerts] == [24]


def test_a_baseline_stays_and_alarms_are_new(tmp_path: Path) -> None:
    first = CollapseMonitor(tiny_panel(), sampling=BRIEF)
    first.start(tiny_gpt2(seed=5))
    guard = guard_of(every(5, rules=[BROKEN_ONCE], baseline=first.baseline))
    for seed in (6, 7):
        fit(make_trainer(tmp_path, guard), LanguageModule(tiny_gpt2(seed=seed)))
        assert guard.monitor.baseline == first.baseline
        assert steps_looked_at(guard) == [0, 5, 10, 15, 16]
        assert [alert.step for alert in guard.monitor.alerts] == [5]
        assert guard.monitor.history[0]["tail_retention"] != 1.0


def test_a_resume_in_the_same_process_goes_on_as_in_another(tmp_path: Path) -> None:
    def fit_with(guard: CollapseGuard, **arguments: object) -> None:
        saver = ModelCheckpoint(tmp_path, filename="{step}", every_n_train_steps=8, save_top_k=-1)
        trainer = make_trainer(tmp_path, guard, saver)
        module = LanguageModule(tiny_gpt2())
        fit(trainer, module, train_dataloaders=rows(shuffle=False), **arguments)

    guard = guard_of()
    fit_with(guard)
    whole = guard.monitor.history
    fit_with(guard, ckpt_path=tmp_path / "step=8.ckpt")
    assert guard.monitor.history == whole[-3:]
    assert [alert.step for alert in guard.monitor.alerts] == [10]
