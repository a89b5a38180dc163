"""The Hugging Face Trainer on what its model wrote, on as many processes as a launcher starts."""

import argparse
import tempfile
from typing import Any

import torch
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    PrinterCallback,
    Trainer,
    TrainingArguments,
)

from collapse_guard import Budget, watch
from collapse_guard.examples.loops.tiny_language_model import (
    ROW,
    VOCAB_SIZE,
    human_text,
    written_by,
)


def trainer_of(model: torch.nn.Module, rows: torch.Tensor, folder: str, steps: int) -> Trainer:
    """A Trainer on the CPU, which a launcher tells of its other processes."""
    arguments = TrainingArguments(
        folder,
        max_steps=steps,
        per_device_train_batch_size=16,
        learning_rate=3e-3,
        use_cpu=True,
        disable_tqdm=True,
        report_to="none",
        save_strategy="no",
        logging_strategy="no",
    )
    data: Any = [{"input_ids": row, "labels": row} for row in rows]
    trainer = Trainer(model, arguments, train_dataset=data)
    # What it watches is told in words.
    trainer.remove_callback(PrinterCallback)
    return trainer


def main() -> None:
    """Train, write, train on what was written, and print what is left."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=100, help="optimizer steps, watched")
    arguments = parser.parse_args()

    human_rows, panel = human_text()
    torch.manual_seed(0)
    size: Any = {"n_embd": 64, "n_layer": 2, "n_head": 2, "n_positions": ROW}
    model = GPT2LMHeadModel(
        GPT2Config(vocab_size=VOCAB_SIZE, **size, bos_token_id=None, eos_token_id=None)
    )
    with tempfile.TemporaryDirectory() as folder:
        trainer_of(model, human_rows, folder, steps=100).train()
        # The same on every process: the weights are, and the seed is.
        written_rows = written_by(model, human_rows)
        trainer = trainer_of(model, written_rows, folder, arguments.steps)
        # So short a run is given more of its time than the usual hundredth.
        watch(trainer, panel=panel, pace=Budget(0.1), sampling=None)
        trainer.train()
    if trainer.is_world_process_zero():
        print(f"on {trainer.args.world_size} processes")


if __name__ == "__main__":
    main()
