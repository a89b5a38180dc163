"""What a worker of Ray Train runs: the Trainer on a mix, watched, where one worker may die."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from transformers import Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_utils import get_last_checkpoint

from collapse_guard import CollapseMonitor, EveryNSteps, MixCollator, MixGuard, Threshold
from collapse_guard.callbacks import CollapseGuardCallback
from tests.tiny import BRIEF, tiny_gpt2, tiny_panel, zipf_documents

STEPS, SAVES, DIES_AT = 8, 4, 6


class DiesOnce(TrainerCallback):
    """Kills the second worker at a step, once."""

    def __init__(self, folder: Path) -> None:
        self._rank = int(os.environ["RANK"])
        self._marker = folder / "died"

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step == DIES_AT and self._rank == 1 and not self._marker.exists():
            self._marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)


class Noted(MixCollator):
    """Writes down which rows go into the batches of a process."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._path = folder / f"rows-{os.environ['RANK']}.jsonl"

    def __call__(self, rows: Any) -> Any:
        batch = super().__call__(rows)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(batch["input_ids"].tolist()) + "\n")
        return batch


def rows(kind: int, count: int = 40) -> list[dict[str, Any]]:
    documents = zipf_documents(count, length=16, seed=kind)
    return [{"input_ids": ids, "labels": ids} for ids in documents]


def train(config: dict[str, str]) -> None:
    """Train to the end, from the latest checkpoint where there is one."""
    torch.set_num_threads(1)
    folder = Path(config["folder"])
    out = folder / "out"
    # The Trainer makes it on the first worker, which the second may be ahead of.
    out.mkdir(exist_ok=True)
    args = TrainingArguments(
        str(out),
        per_device_train_batch_size=4,
        max_steps=STEPS,
        learning_rate=1e-2,
        logging_steps=1,
        save_steps=SAVES,
        report_to="none",
        use_cpu=True,
        disable_tqdm=True,
        seed=3,
    )
    mix = MixGuard.for_trainer(rows(1), rows(2), args, human_fraction=0.25)
    trainer = Trainer(
        tiny_gpt2(dropout=0.1),
        mix.trainer_arguments(),
        train_dataset=mix,
        data_collator=Noted(folder),
        callbacks=[DiesOnce(folder)],
    )
    monitor = CollapseMonitor(
        tiny_panel(documents=4),
        pace=EveryNSteps(SAVES),
        rules=[Threshold("tail_retention", above=0.1, patience=1, alpha=None)],
        rules_wait=False,
        sampling=BRIEF,
    )
    CollapseGuardCallback(monitor, on_error="raise").attach(trainer)
    trainer.train(resume_from_checkpoint=get_last_checkpoint(str(out)))
    if os.environ["RANK"] == "0":
        weights = load_file(out / f"checkpoint-{STEPS}" / "model.safetensors")
        said = {
            "history": [
                {key: value for key, value in record.items() if "overhead" not in key}
                for record in trainer.state.log_history
                if "train_runtime" not in record
            ],
            "alerts": [(alert.step, str(alert.rule)) for alert in monitor.alerts],
            "weights": {name: value.tolist() for name, value in weights.items()},
        }
        (folder / "said.json").write_text(json.dumps(said), encoding="utf-8")
