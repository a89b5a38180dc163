"""The Hugging Face Trainer: what it must be told, what it then sees, and what a resume sees."""

from pathlib import Path
from typing import Any

import datasets
import pytest
import torch
from torch.utils.data import SequentialSampler
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments

from collapse_guard.errors import MixOrderError
from collapse_guard.mixing import MixGuard

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


def make_trainer(folder: Path, recorder: Recorder, **settings: Any) -> Trainer:
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
        train_dataset=make_guard(),
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


@pytest.mark.parametrize("strategy", ["random", "group_by_length"])
def test_shuffled_training_fails_before_the_first_step(tmp_path: Path, strategy: str) -> None:
    recorder = Recorder()
    trainer = make_trainer(tmp_path, recorder, train_sampling_strategy=strategy)
    with pytest.raises(MixOrderError, match=r'train_sampling_strategy="sequential"'):
        trainer.train()
    assert trainer.state.global_step == 0
    assert recorder.micro_batches == []


def test_shuffled_training_on_single_rows_fails_at_the_third_or_on_request(
    tmp_path: Path,
) -> None:
    recorder = Recorder()
    trainer = make_trainer(
        tmp_path, recorder, train_sampling_strategy="random", per_device_train_batch_size=1
    )
    with pytest.raises(MixOrderError, match="RandomSampler"):
        make_guard().check_loader(trainer.get_train_dataloader())
    with pytest.raises(MixOrderError, match=r'train_sampling_strategy="sequential"'):
        trainer.train()
    assert len(recorder.micro_batches) <= 6


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
