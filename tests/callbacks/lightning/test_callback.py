import math
import random
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.utilities import CombinedLoader

from collapse_guard import (
    MixGuard,
    MixOrderError,
    Sampling,
    Threshold,
)
from collapse_guard.callbacks import CollapseGuard
from collapse_guard.readings.prequential import PrequentialReader
from tests.callbacks.lightning.runs import (
    ALWAYS_BROKEN,
    QUIET,
    LanguageModule,
    Recorder,
    every,
    fingerprint,
    fit,
    guarded,
    held_out,
    make_trainer,
    rows,
    small_looks,
    steps_looked_at,
)
from tests.looks import BANDED, PREQUENTIAL
from tests.paces import Scripted
from tests.tiny import tiny_gpt2, tiny_reference, zipf_documents

pytestmark = QUIET
SAMPLING = Sampling(num_free=4, num_prompts=2, samples_per_prompt=2, prompt_length=8, length=8)


def test_readings_reach_the_loggers_at_their_steps(tmp_path: Path) -> None:
    recorder, guard = Recorder(), guarded()
    fit(make_trainer(tmp_path, guard, logger=recorder))
    retention = recorder.of("collapse/tail_retention")
    assert [step for step, _ in retention] == [0, 5, 10, 15, 16]
    assert [value for _, value in retention] == [
        reading["tail_retention"] for reading in guard.monitor.history
    ]
    step, last = recorder.records[-1]
    assert (step, last["collapse/alerts"]) == (16, 0)
    reading = guard.monitor.history[-1]
    assert {name: last[f"collapse/{name}"] for name in reading} == dict(reading)
    assert last["collapse/tail_gap_se"] == reading.standard_errors["tail_gap"]
    assert last["collapse/overhead"] == guard.monitor.overhead_spent
    assert all(type(value) is float for key, value in last.items() if "collapse" in key)


def test_the_runs_own_records_stay_as_they_are(tmp_path: Path) -> None:
    def own_records(*callbacks: pl.Callback) -> list[Any]:
        recorder = Recorder()
        fit(make_trainer(tmp_path, *callbacks, logger=recorder), val_dataloaders=held_out())
        return [(s, r) for s, r in recorder.records if not any("collapse" in key for key in r)]

    assert own_records(guarded(every(1))) == own_records() != []


def test_small_looks_are_logged_as_often_as_the_run_logs(tmp_path: Path) -> None:
    recorder, guard = Recorder(), guarded(small_looks([]))
    trainer = make_trainer(tmp_path, guard, logger=recorder)
    fit(trainer)
    steps = [step for step, _ in recorder.of("collapse/tail_retention")]
    assert steps == [0, 1, 3, 6, 9, 12, 15, 16]
    # As often as the run's own records, which Lightning counts from 0.
    assert [step + 1 for step, _ in recorder.of("loss")] == [3, 6, 9, 12, 15]
    assert [step for step, _ in recorder.of("collapse/perplexity")] == [0, 16]
    small = dict(recorder.records)[3]
    assert {f"collapse/{name}" for name in BANDED} < small.keys()
    assert small["collapse/overhead"] > 0


def test_a_small_look_between_two_records_of_the_run_is_logged_at_its_step(tmp_path: Path) -> None:
    recorder, guard = Recorder(), guarded(small_looks([]))
    guard.monitor._run.schedule = Scripted({7: 2, 9: 2, 12: 2})
    fit(make_trainer(tmp_path, guard, logger=recorder, log_every_n_steps=10))
    assert [step for step, _ in recorder.of("collapse/tail_retention")] == [0, 7, 12, 16]


def test_small_looks_are_offered_at_every_step(tmp_path: Path) -> None:
    offered: list[float] = []

    class Looks(pl.Callback):
        def on_train_batch_end(self, trainer: pl.Trainer, *args: Any) -> None:
            offered.append(float(trainer.callback_metrics["collapse/tail_retention"]))

    fit(make_trainer(tmp_path, guarded(small_looks([])), Looks()))
    assert len(set(offered)) == 16


def test_a_small_look_that_alerts_is_logged_at_once(tmp_path: Path) -> None:
    rule = Threshold("tail_logprob", above=-100.0, patience=7, alpha=None)
    recorder, alerts = Recorder(), []
    guard = guarded(small_looks([rule]), sink=alerts.append)
    fit(make_trainer(tmp_path, guard, logger=recorder, log_every_n_steps=1_000))
    (alert,) = alerts
    assert [step for step, _ in recorder.of("collapse/tail_logprob")] == [0, 1, 7, 16]
    assert recorder.of("collapse/tail_logprob")[2] == (alert.step, alert.value)


def test_accumulated_batches_are_no_steps(tmp_path: Path) -> None:
    guard = guarded(every(1))
    fit(make_trainer(tmp_path, guard, accumulate_grad_batches=4))
    assert steps_looked_at(guard) == [0, 1, 2, 3, 4]


def test_validation_looks_at_the_whole_panel(tmp_path: Path) -> None:
    guard = guarded(every(1_000))
    module = fit(make_trainer(tmp_path, guard, val_check_interval=4), val_dataloaders=held_out())
    assert steps_looked_at(guard) == [0, 4, 8, 12, 16]
    # Outside of a run there is no step to read at.
    make_trainer(tmp_path, guard).validate(module, held_out(), verbose=False)
    assert steps_looked_at(guard) == [0, 4, 8, 12, 16]


def test_the_sanity_check_is_no_validation(tmp_path: Path) -> None:
    guard = guarded(every(1_000))
    guard.monitor.start(tiny_gpt2())
    fit(make_trainer(tmp_path, guard, max_epochs=1), val_dataloaders=held_out())
    assert steps_looked_at(guard) == [0, 0, 8]


def test_early_stopping_and_checkpoints_follow_our_readings(tmp_path: Path) -> None:
    # Perplexity falls in training, so "max" has its best at the first validation.
    stopper = EarlyStopping("collapse/perplexity", mode="max", patience=2)
    saver = ModelCheckpoint(tmp_path, monitor="collapse/perplexity", mode="max", save_top_k=1)
    guard = guarded(every(1_000))
    # The stopper stands before the guard, and still finds the reading of its own step.
    trainer = make_trainer(tmp_path, stopper, saver, guard, val_check_interval=2)
    fit(trainer, val_dataloaders=held_out())
    looked = {r.step: r["perplexity"] for r in guard.monitor.history if r.step}
    best = max(looked, key=lambda step: looked[step])
    assert float(saver.best_model_score) == pytest.approx(looked[best])
    assert f"step={best}.ckpt" in saver.best_model_path
    assert trainer.global_step == best + 4 < 16
    assert saver.best_model_score == stopper.best_score


def test_checkpoints_by_step_see_the_reading_of_their_step(tmp_path: Path) -> None:
    saver = ModelCheckpoint(
        tmp_path, monitor="collapse/perplexity", every_n_train_steps=4, save_top_k=-1
    )
    guard = guarded(every(4))
    fit(make_trainer(tmp_path, saver, guard))
    saved = [float(score) for score in saver.best_k_models.values()]
    looked = [reading["perplexity"] for reading in guard.monitor.history[1:]]
    assert saved == pytest.approx(looked)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"accumulate_grad_batches": 2, "gradient_clip_val": 0.5},
        {"precision": "bf16-mixed"},
        {"precision": "bf16-true"},
        {"val_check_interval": 3},
    ],
    ids=["plain", "accumulation", "bf16-mixed", "bf16-true", "validation"],
)
@pytest.mark.parametrize("sampling", [None, SAMPLING], ids=["read", "sampled"])
@pytest.mark.filterwarnings("ignore:Found 1 module.s. in eval mode at the start of training")
def test_training_is_bit_identical(
    tmp_path: Path, arguments: dict[str, Any], sampling: Sampling | None
) -> None:
    def run(*callbacks: pl.Callback) -> list[Any]:
        module = LanguageModule()
        # A part that the user froze in evaluation mode must stay so.
        next(each for each in module.modules() if isinstance(each, torch.nn.LayerNorm)).eval()
        random.seed(0)
        np.random.seed(0)
        trainer = make_trainer(tmp_path, *callbacks, **arguments)
        fit(trainer, module, val_dataloaders=held_out())
        return fingerprint(trainer, module)

    assert run(guarded(every(1, sampling=sampling))) == run()


def test_a_dry_run_leaves_no_files(tmp_path: Path) -> None:
    guard = guarded(every(1, rules=[ALWAYS_BROKEN]), on_alert="save")
    trainer = make_trainer(tmp_path, guard, fast_dev_run=2)
    fit(trainer, val_dataloaders=held_out())
    assert steps_looked_at(guard) == [0, 1, 2]
    assert len(guard.monitor.alerts) == 1
    assert list(tmp_path.rglob("*.ckpt")) == []


def test_barebones(tmp_path: Path) -> None:
    class Silent(LanguageModule):
        def log(self, *args: Any, **kwargs: Any) -> None:
            pass

    guard = guarded(every(8))
    trainer = pl.Trainer(
        barebones=True,
        default_root_dir=tmp_path,
        accelerator="cpu",
        max_epochs=2,
        callbacks=[guard],
    )
    fit(trainer, Silent())
    assert steps_looked_at(guard) == [0, 8, 16]
    assert "collapse/tail_retention" in trainer.callback_metrics


def test_batches_of_several_loaders(tmp_path: Path) -> None:
    class TwoTexts(LanguageModule):
        def training_step(self, batch: dict[str, torch.Tensor], batch_idx: int) -> torch.Tensor:
            return sum(super(TwoTexts, self).training_step(each, 0) for each in batch.values())

    guard = guarded(every(4))
    loader = CombinedLoader({"human": rows(1), "synthetic": rows(2)}, "max_size_cycle")
    fit(make_trainer(tmp_path, guard), TwoTexts(), train_dataloaders=loader)
    assert steps_looked_at(guard) == [0, 4, 8, 12, 16]


def test_manual_optimization_counts_every_optimizers_steps(tmp_path: Path) -> None:
    class Manual(LanguageModule):
        automatic_optimization = False

        def training_step(self, batch: torch.Tensor, batch_idx: int) -> None:
            for optimizer in self.optimizers():
                optimizer.zero_grad()
                self.manual_backward(self.net(input_ids=batch, labels=batch).loss)
                optimizer.step()

        def configure_optimizers(self) -> Any:
            half = len(list(self.parameters())) // 2
            groups = list(self.parameters())[:half], list(self.parameters())[half:]
            return [torch.optim.SGD(group, lr=1e-2) for group in groups]

    recorder, guard = Recorder(), guarded(every(8))
    trainer = make_trainer(tmp_path, guard, logger=recorder, max_epochs=1)
    fit(trainer, Manual())
    assert trainer.global_step == 16
    assert steps_looked_at(guard) == [0, 8, 16]


def test_a_mix_that_would_be_shuffled_is_refused_at_the_start(tmp_path: Path) -> None:
    source = [{"input_ids": ids} for ids in zipf_documents(32, length=16)]
    mix = MixGuard(source, source, human_fraction=0.5, block_size=4)
    module = LanguageModule()
    with pytest.raises(MixOrderError):
        fit(
            make_trainer(tmp_path, CollapseGuard(every(4))),
            module,
            train_dataloaders=torch.utils.data.DataLoader(mix, batch_size=1, shuffle=True),
        )
    assert module.losses == []


def test_human_rows_are_read_off_the_training(tmp_path: Path) -> None:
    human = [{"input_ids": ids} for ids in zipf_documents(32, length=16, seed=5)]
    written = [{"input_ids": ids} for ids in zipf_documents(32, length=16, seed=6)]
    mix = MixGuard(human, written, human_fraction=0.5, block_size=4)
    reader = PrequentialReader(mix, tiny_reference(), start_rows=2)
    loader = torch.utils.data.DataLoader(
        mix,
        batch_size=4,
        collate_fn=lambda batch: torch.tensor([row["input_ids"] for row in batch]),
    )
    guard, module = guarded(every(4, prequential=reader)), LanguageModule()
    trainer = make_trainer(tmp_path, guard, max_epochs=1)
    fit(trainer, module, train_dataloaders=loader, val_dataloaders=held_out())
    read = {name: float(trainer.callback_metrics[f"collapse/{name}"]) for name in PREQUENTIAL}
    assert all(map(math.isfinite, read.values()))
    # Untrained, and then trained on rows of the same law: near the panel's own reading.
    panel = float(trainer.callback_metrics["collapse/tail_logprob"])
    assert read["tail_logprob_prequential"] == pytest.approx(panel, abs=1.5)
    assert not module.net._forward_hooks
