"""A run of the Trainer that goes on from its last checkpoint."""

import time
from pathlib import Path
from typing import Any

from transformers import Trainer, TrainerCallback, TrainingArguments

from collapse_guard import MixCollator
from collapse_guard.alerts.sinks import tell_nobody
from collapse_guard.callbacks import CollapseGuardCallback, MixLedgerCallback
from collapse_guard.mixing.reports.ledger import read_ledger
from tests.kills.outcome import (
    BATCH,
    SAVE_EVERY,
    STEPS,
    RowLog,
    finish,
    mix,
    monitor,
    without_times,
)
from tests.tiny import tiny_gpt2


class _Logged(Trainer):
    def __init__(self, rows: RowLog, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._rows = rows

    def training_step(self, model: Any, inputs: Any, *given: Any) -> Any:
        self._rows.add(self.state.global_step, inputs["input_ids"])
        return super().training_step(model, inputs, *given)


class _Slow(TrainerCallback):
    def on_step_end(self, *given: Any, **more: Any) -> None:
        time.sleep(0.005)


def run(folder: Path) -> None:
    """Begin, or go on where the last whole checkpoint was taken."""
    mixed, watch = mix(), monitor()
    trainer = _Logged(
        RowLog(folder),
        model=tiny_gpt2(dropout=0.1),
        args=TrainingArguments(
            output_dir=str(folder),
            per_device_train_batch_size=BATCH,
            num_train_epochs=1,
            learning_rate=1e-2,
            train_sampling_strategy="sequential",
            logging_steps=3,
            save_steps=SAVE_EVERY,
            report_to="none",
            use_cpu=True,
            disable_tqdm=True,
        ),
        train_dataset=mixed,
        data_collator=MixCollator(labels=True),
        callbacks=[MixLedgerCallback(mixed, every_n_steps=1), _Slow()],
    )
    CollapseGuardCallback(watch, sink=tell_nobody, on_error="raise").attach(trainer)
    trainer.train(resume_from_checkpoint=_last_whole(folder))
    finish(
        folder,
        trainer.model,
        watch,
        ledger=_ledger(folder),
        report=str(mixed.report(STEPS * BATCH)),
        logged=[_without_losses(each) for each in trainer.state.log_history],
    )


def _last_whole(folder: Path) -> str | None:
    # The Trainer writes its state last of all.
    whole = [path.parent for path in folder.glob("checkpoint-*/trainer_state.json")]
    last = max(whole, key=lambda path: int(path.name.split("-")[1]), default=None)
    return None if last is None else str(last)


def _ledger(folder: Path) -> dict[str, Any]:
    # One that began anew, as it was killed before its first checkpoint, leaves another ledger.
    latest = max(folder.glob("mix_ledger*.json"), key=lambda path: path.stat().st_mtime_ns)
    return {name: value for name, value in read_ledger(latest).items() if name != "run"}


def _without_losses(record: dict[str, Any]) -> Any:
    # The Trainer's means of losses begin anew with a resume.
    losses = ("loss", "train_loss", "grad_norm", "total_flos")
    return without_times({name: value for name, value in record.items() if name not in losses})
