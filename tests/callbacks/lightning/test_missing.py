"""What Lightning's own callbacks do where a look could not be had."""

import math
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint

from collapse_guard.callbacks import WatchSession
from collapse_guard.callbacks.lightning.missing import offered, spare_stoppers
from tests.callbacks.failing_looks import failing
from tests.callbacks.lightning.runs import (
    QUIET,
    LanguageModule,
    Recorder,
    every,
    fingerprint,
    fit,
    guarded,
    held_out,
    make_trainer,
    steps_looked_at,
)
from tests.tiny import tiny_gpt2

pytestmark = QUIET
KEY = "collapse/perplexity"


def stopper(**arguments: Any) -> EarlyStopping:
    return EarlyStopping(KEY, **{"mode": "min", "patience": 1, **arguments})


class Offered(pl.Callback):
    """Keeps what others find at each validation."""

    def __init__(self) -> None:
        self.values: list[float] = []

    def on_validation_end(self, trainer: pl.Trainer, *args: Any) -> None:
        if not trainer.sanity_checking:
            self.values.append(float(trainer.callback_metrics[KEY]))


def run(folder: Path, *callbacks: pl.Callback, **arguments: Any) -> Any:
    trainer, module = make_trainer(folder, *callbacks, **arguments), LanguageModule()
    fit(trainer, module, val_dataloaders=held_out())
    return trainer, module


@pytest.mark.parametrize("how", ["raises", "gives NaN"])
@pytest.mark.parametrize("first", [False, True], ids=["after", "before"])
def test_a_stopper_passes_over_a_look_that_failed(tmp_path: Path, how: str, first: bool) -> None:
    arguments = {"max_epochs": 1, "val_check_interval": 2}
    plain = fingerprint(*run(tmp_path, **arguments))
    guard, recorder, seen = guarded(failing(4, how=how), on_error="report"), Recorder(), Offered()
    callbacks = [stopper(), guard] if first else [guard, stopper()]
    trainer, module = run(tmp_path, *callbacks, seen, logger=recorder, **arguments)
    # Perplexity falls, so that nothing but the look that failed could end the run.
    assert steps_looked_at(guard) == [0, 2, 6, 8]
    assert trainer.global_step == 8
    assert fingerprint(trainer, module) == plain
    logged = [value for _, record in recorder.records for value in record.values()]
    assert not any(math.isnan(value) for value in logged)
    # The last value that could be had stays.
    read = {look.step: look["perplexity"] for look in guard.monitor.history}
    assert seen.values == pytest.approx([read[2], read[2], read[6], read[8]])


class OnPlateau(LanguageModule):
    """Halves its learning rate whenever perplexity does not fall."""

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.parameters(), lr=1e-3)
        scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, factor=0.5)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "monitor": KEY, "interval": "epoch"},
        }


@pytest.mark.parametrize(
    ("steps", "how", "lowered"),
    [((4,), "gives NaN", 1), (tuple(range(9)), "raises", 4)],
    ids=["one", "the start, and so all"],
)
def test_a_scheduler_counts_a_look_that_failed_as_no_improvement(
    tmp_path: Path, steps: tuple[int, ...], how: str, lowered: int
) -> None:
    for failed, times in (((), 0), (steps, lowered)):
        guard = guarded(failing(*failed, how=how), on_error="report")
        trainer = make_trainer(tmp_path, guard, max_epochs=4, limit_train_batches=2)
        fit(trainer, OnPlateau(), val_dataloaders=held_out())
        assert trainer.global_step == 8
        # Perplexity falls, so that nothing but looks that failed could lower the rate.
        assert trainer.optimizers[0].param_groups[0]["lr"] == 1e-3 * 0.5**times


@pytest.mark.parametrize("steps", [range(4, 17), range(17)], ids=["later", "always"])
def test_looks_that_fail_for_good_stop_nothing(tmp_path: Path, steps: range) -> None:
    guard = guarded(failing(*steps), on_error="report")
    saver = ModelCheckpoint(tmp_path, monitor=KEY, save_top_k=1)
    trainer, _ = run(tmp_path, stopper(), saver, guard, val_check_interval=2)
    assert trainer.global_step == 16
    if 2 not in steps:
        assert "step=2.ckpt" in saver.best_model_path


@pytest.mark.parametrize("at_epoch_end", [False, True])
def test_no_model_of_a_failed_look_is_the_best(tmp_path: Path, at_epoch_end: bool) -> None:
    # The start's perplexity is the largest, and the first look at which one can be saved fails.
    guard = guarded(failing(2), on_error="report")
    saver = ModelCheckpoint(
        tmp_path, monitor=KEY, mode="max", save_top_k=1, save_on_train_epoch_end=at_epoch_end
    )
    trainer, _ = run(tmp_path, saver, guard, val_check_interval=2, limit_train_batches=2)
    assert trainer.global_step == 4
    read = {look.step: look["perplexity"] for look in guard.monitor.history}
    assert float(saver.best_model_score) == pytest.approx(read[4])
    assert "step=4.ckpt" in saver.best_model_path


def test_a_stopper_still_stops(tmp_path: Path) -> None:
    guard, mine = guarded(every(1_000)), stopper(mode="max")
    trainer, _ = run(tmp_path, mine, guard, val_check_interval=2)
    assert trainer.global_step == 4
    assert mine.wait_count == 1
    # Nothing of ours is left on it.
    assert not {"on_validation_end", "on_train_epoch_end"} & vars(mine).keys()


def test_a_stopper_on_something_else_is_left_alone(tmp_path: Path) -> None:
    guard, other = guarded(failing(4), on_error="report"), EarlyStopping("val_loss", mode="max")
    trainer = make_trainer(tmp_path, guard, other)
    before = dict(vars(other))
    spare_stoppers(guard.session, trainer)
    assert vars(other) == before


def test_hooks_of_a_stopper_are_put_back(tmp_path: Path) -> None:
    session, mine, called = WatchSession(every(4)), stopper(), []
    mine.on_validation_end = lambda *given: called.append(given)
    before = dict(vars(mine))
    undo = spare_stoppers(session, make_trainer(tmp_path, mine))
    mine.on_validation_end(1, 2)
    # Before there is a look, all is missing.
    assert called == []
    session.start(tiny_gpt2())
    mine.on_validation_end(1, 2)
    assert called == [(1, 2)]
    session.values.lose()
    mine.on_validation_end(3, 4)
    assert called == [(1, 2)]
    undo()
    assert vars(mine) == before


def test_what_is_offered(tmp_path: Path) -> None:
    session = WatchSession(every(4))
    saver = ModelCheckpoint(tmp_path, monitor="collapse/tail_gap")
    trainer = make_trainer(tmp_path, saver)
    nothing = offered(session, trainer)
    assert nothing.keys() == session.values.keys
    assert all(map(math.isnan, nothing.values()))
    session.start(tiny_gpt2())
    read = session.monitor.history[0]
    at_start = offered(session, trainer)
    assert (at_start[KEY], at_start["collapse/tail_gap"]) == (read["perplexity"], read["tail_gap"])
    session.values.lose()
    lost = offered(session, trainer)
    assert lost[KEY] == read["perplexity"]
    assert math.isnan(lost["collapse/tail_gap"])
