"""The Hugging Face Trainer: what it must be told, what it then sees, and what a resume sees."""

from pathlib import Path
from typing import Any

import datasets
import pytest
import torch
from torch.utils.data import SequentialSampler
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments

from collapse_guard.errors import MixOrderError
from collapse_guard.mixing import MixCollator, MixGuard

HUMAN, SYNTHETIC = 1, 2
PER_DEVICE, ACCUMULATION = 4, 2
GLOBAL_BATCH = PER_DEVICE * ACCUMULATION


def make_source(mark: int, count: int) -> datasets.Dataset:
    rows = [{"input_ids": [mark, number, number]} for number in range(count)]
    return datasets.Dataset.from_list(rows)


def make_guard() -> MixGuard:
    return MixGuard(
        make_source(HUMAN, 20),
        make_source(SYNTHETIC, 60),
        human_fraction=0.3,
        block_size=GLOBAL_BATCH,
        length=24,
        epochs=2,
    )


class Recorder:
    """A collator that keeps what goes into each micro-batch."""

    def __init__(self) -> None:
        self.micro_batches: list[list[list[int]]] = []

    def __call__(self, rows: list[dict[str, list[int]]]) -> dict[str, torch.Tensor]:
        self.micro_batches.append([row["input_ids"] for row in rows])
        ids = torch.tensor(self.micro_batches[-1])
        return {"input_ids": ids, "labels": ids}


def make_trainer(
    folder: Path, recorder: Recorder, *, train_dataset: Any = None, **settings: Any
) -> Trainer:
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=64, n_positions=8, n_embd=8, n_layer=2, n_head=1, bos_token_id=0, eos_token_id=0
    )
    arguments: dict[str, Any] = {
        "train_sampling_strategy": "sequential",
        "per_device_train_batch_size": PER_DEVICE,
        "gradient_accumulation_steps": ACCUMULATION,
        "num_train_epochs": 1,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "use_cpu": True,
        "dataloader_pin_memory": False,
    } | settings
    return Trainer(
        model=GPT2LMHeadModel(config),
        args=TrainingArguments(output_dir=str(folder), **arguments),
        train_dataset=train_dataset or make_guard(),
        data_collator=recorder,
    )


def test_sequential_training_sees_the_stream_and_each_global_batch_its_quota(
    tmp_path: Path,
) -> None:
    recorder = Recorder()
    trainer = make_trainer(tmp_path, recorder)
    trainer.train()
    assert trainer.state.global_step == 2 * 24 // GLOBAL_BATCH
    seen = [row for batch in recorder.micro_batches for row in batch]
    guard = make_guard()
    assert seen == [guard[slot]["input_ids"] for slot in range(len(guard))]
    for start in range(0, len(seen), GLOBAL_BATCH):
        marks = [row[0] for row in seen[start : start + GLOBAL_BATCH]]
        assert marks.count(HUMAN) == 3


DEFAULT = TrainingArguments.train_sampling_strategy


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize(
    ("strategy", "workers", "per_device", "accumulation"),
    [
        (DEFAULT, 0, 8, 1),
        (DEFAULT, 2, 8, 2),
        (DEFAULT, 0, 1, 1),
        (DEFAULT, 2, 1, 1),
        (DEFAULT, 0, 1, 4),
        (DEFAULT, 2, 1, 4),
        ("group_by_length", 0, 4, 2),
        ("group_by_length", 2, 1, 1),
        ("batch_rebalance", 0, 1, 1),
        ("batch_rebalance", 2, 4, 2),
    ],
)
def test_shuffled_training_fails_before_the_first_step(
    tmp_path: Path, strategy: str, workers: int, per_device: int, accumulation: int
) -> None:
    recorder = Recorder()
    trainer = make_trainer(
        tmp_path,
        recorder,
        train_sampling_strategy=strategy,
        per_device_train_batch_size=per_device,
        gradient_accumulation_steps=accumulation,
        dataloader_num_workers=workers,
    )
    with pytest.raises(MixOrderError, match=r'train_sampling_strategy="sequential"'):
        trainer.train()
    assert trainer.state.global_step == 0
    with pytest.raises(MixOrderError, match="would be read through"):
        make_guard().check_loader(trainer.get_train_dataloader())


def test_the_loader_of_sequential_training_passes_the_check(tmp_path: Path) -> None:
    loader = make_trainer(tmp_path, Recorder()).get_train_dataloader()
    assert isinstance(loader.sampler, SequentialSampler)
    make_guard().check_loader(loader)


def test_a_resume_within_an_epoch_goes_on_where_it_stopped(tmp_path: Path) -> None:
    whole = Recorder()
    make_trainer(tmp_path / "whole", whole).train()

    stopped = Recorder()
    make_trainer(
        tmp_path / "parts", stopped, max_steps=2, save_strategy="steps", save_steps=2
    ).train()
    resumed = Recorder()
    make_trainer(tmp_path / "parts", resumed).train(
        resume_from_checkpoint=str(tmp_path / "parts" / "checkpoint-2")
    )
    micro_steps = 2 * ACCUMULATION
    assert stopped.micro_batches[:micro_steps] == whole.micro_batches[:micro_steps]
    assert resumed.micro_batches == whole.micro_batches[micro_steps:]


@pytest.mark.parametrize("remove_unused_columns", [True, False])
def test_our_collator_feeds_it(tmp_path: Path, remove_unused_columns: bool) -> None:
    trainer = make_trainer(tmp_path, Recorder(), remove_unused_columns=remove_unused_columns)
    trainer.data_collator = MixCollator(labels=True)
    batches = [batch["input_ids"] for batch in trainer.get_train_dataloader()]
    guard = make_guard()
    assert torch.cat(batches).tolist() == [guard[slot]["input_ids"] for slot in range(len(guard))]
    trainer.train()
    assert trainer.state.global_step == len(guard) // GLOBAL_BATCH


@pytest.mark.parametrize("epochs", [1, 2])
def test_a_part_of_a_global_batch_at_the_end_is_whole_blocks(tmp_path: Path, epochs: int) -> None:
    """Three micro-batches to a step leave one of four for the last step of each epoch."""
    recorder = Recorder()
    guard = MixGuard(
        make_source(HUMAN, 20),
        make_source(SYNTHETIC, 60),
        human_fraction=0.3,
        block_size=PER_DEVICE,
        length=40,
    )
    trainer = make_trainer(
        tmp_path,
        recorder,
        train_dataset=guard,
        gradient_accumulation_steps=3,
        num_train_epochs=epochs,
    )
    trainer.train()
    assert trainer.state.global_step == 4 * epochs
    rows = [row for batch in recorder.micro_batches for row in batch]
    assert rows == [guard[slot]["input_ids"] for slot in range(40)] * epochs
    for batch in recorder.micro_batches:
        assert [row[0] for row in batch].count(HUMAN) == 2
