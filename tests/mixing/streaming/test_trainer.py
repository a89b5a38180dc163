"""The Hugging Face Trainer on a `MixStream`: what each process sees, and what a resume sees."""

from pathlib import Path
from typing import Any

import datasets
import pytest
import torch
from transformers import Trainer, TrainingArguments

from collapse_guard.callbacks import MixLedgerCallback
from collapse_guard.errors import MixOrderError
from collapse_guard.mixing import MixStream
from collapse_guard.mixing.reports.ledger import read_ledger
from tests.processes import on_launched_processes
from tests.tiny import tiny_gpt2

HUMAN, SYNTHETIC = 1, 2
PER_DEVICE, ACCUMULATION = 2, 2


def make_source(mark: int, count: int) -> datasets.IterableDataset:
    rows = [{"input_ids": [mark, number, number]} for number in range(count)]
    return datasets.Dataset.from_list(rows).to_iterable_dataset(num_shards=3)


def make_stream(**settings: Any) -> MixStream:
    arguments: dict[str, Any] = {
        "human_fraction": 0.3,
        "block_size": 8,
        "shuffle_buffer": 5,
        "batch_size": PER_DEVICE,
        "length": 40,
    } | settings
    return MixStream(make_source(HUMAN, 20), make_source(SYNTHETIC, 40), **arguments)


def rows_of(stream: MixStream) -> list[list[int]]:
    return [row["input_ids"] for row in stream]


def collate(rows: list[dict[str, list[int]]]) -> dict[str, torch.Tensor]:
    ids = torch.tensor([row["input_ids"] for row in rows])
    return {"input_ids": ids, "labels": ids}


class RecordingTrainer(Trainer):
    """Keeps what goes into the model on this process."""

    def training_step(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        self.batches: list[list[list[int]]] = [
            *getattr(self, "batches", []),
            inputs["input_ids"].tolist(),
        ]
        return super().training_step(model, inputs, *args, **kwargs)


def make_trainer(folder: Path, stream: MixStream, **settings: Any) -> RecordingTrainer:
    arguments: dict[str, Any] = {
        "per_device_train_batch_size": PER_DEVICE,
        "gradient_accumulation_steps": ACCUMULATION,
        "num_train_epochs": 1,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "use_cpu": True,
        "dataloader_pin_memory": False,
    } | settings
    return RecordingTrainer(
        model=tiny_gpt2(),
        args=TrainingArguments(output_dir=str(folder), **arguments),
        train_dataset=stream,
        data_collator=collate,
        callbacks=[MixLedgerCallback(stream, on_error="raise")],
    )


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("length", [40, None])
def test_default_training_sees_the_stream(tmp_path: Path, workers: int, length: int | None) -> None:
    stream = make_stream(length=length)
    limit = {} if length else {"max_steps": 10}
    trainer = make_trainer(tmp_path, stream, dataloader_num_workers=workers, **limit)
    trainer.train()
    assert [row for batch in trainer.batches for row in batch] == rows_of(stream)[:40]
    assert trainer.state.global_step == 10
    assert read_ledger(tmp_path)["total"]["sources"]["human"]["shown"] == 15


def test_workers_without_a_batch_size_are_refused_before_anything_is_read(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, make_stream(batch_size=None), dataloader_num_workers=2)
    with pytest.raises(MixOrderError, match="give batch_size=2 to the MixStream"):
        trainer.train()
    assert trainer.state.global_step == 0


@pytest.mark.parametrize("length", [40, None])
def test_a_resume_goes_on_where_it_stopped(tmp_path: Path, length: int | None) -> None:
    limit = {"max_steps": 10}
    whole = make_trainer(tmp_path / "whole", make_stream(length=length), **limit)
    whole.train()
    saving = {"max_steps": 3, "save_strategy": "steps", "save_steps": 3}
    make_trainer(tmp_path / "parts", make_stream(length=length), **saving).train()
    resumed = make_trainer(tmp_path / "parts", make_stream(length=length), **limit)
    resumed.train(resume_from_checkpoint=str(tmp_path / "parts" / "checkpoint-3"))
    assert resumed.batches == whole.batches[3 * ACCUMULATION :]


CASES = {
    "dispatched": ({}, PER_DEVICE),
    "dispatched to workers": ({"dataloader_num_workers": 2}, PER_DEVICE),
    "read by all": ({"accelerator_config": {"dispatch_batches": False}}, 2 * PER_DEVICE),
    "split": (
        {
            "accelerator_config": {"split_batches": True},
            "per_device_train_batch_size": 2 * PER_DEVICE,
        },
        2 * PER_DEVICE,
    ),
}


def train_on_process(folder: str) -> dict[str, list[list[list[int]]]]:
    seen = {}
    for name, (settings, batch_size) in CASES.items():
        stream = make_stream(batch_size=batch_size)
        trainer = make_trainer(Path(folder, name), stream, ddp_backend="gloo", **settings)
        trainer.train()
        seen[name] = trainer.batches
    stopped = make_trainer(
        Path(folder, "parts"),
        make_stream(),
        ddp_backend="gloo",
        max_steps=2,
        save_strategy="steps",
        save_steps=2,
    )
    stopped.train()
    resumed = make_trainer(Path(folder, "parts"), make_stream(), ddp_backend="gloo")
    resumed.train(resume_from_checkpoint=str(Path(folder, "parts", "checkpoint-2")))
    seen["resumed"] = resumed.batches
    return seen


@pytest.mark.slow
def test_two_processes_see_the_same_stream_however_it_is_dealt_out(tmp_path: Path) -> None:
    meeting = tmp_path / "meeting"
    meeting.mkdir()
    first, second = on_launched_processes(train_on_process, meeting, str(tmp_path / "runs"))
    expected = rows_of(make_stream())
    for name in [*CASES, "resumed"]:
        steps = zip(first[name], second[name], strict=True)
        rows = [row for step in steps for batch in step for row in batch]
        assert rows == (expected[16:] if name == "resumed" else expected), name
    for name in CASES:
        ledger = read_ledger(tmp_path / "runs" / name)
        assert (ledger["slots"], ledger["step"]) == (40, 5), name
