"""Nobody computes a block size: it is read off what trains, whatever that is."""

import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from accelerate import Accelerator
from accelerate.parallelism_config import ParallelismConfig
from lightning.pytorch import Trainer as LightningTrainer
from torch.utils.data import DataLoader
from transformers import Trainer, TrainingArguments

from collapse_guard import ArgumentError, MixCollator, MixGuard, MixOrderError
from collapse_guard.integrations import as_hf_dataset
from collapse_guard.mixing.loaders.block_of import Training, read_training
from tests.mixing.test_sft import tiny_tokenizer
from tests.processes import on_launched_processes
from tests.tiny import tiny_gpt2

HUMAN = [{"input_ids": [1, number, number]} for number in range(30)]
SYNTHETIC = [{"input_ids": [2, number, number]} for number in range(34)]


def arguments(folder: Path, kind: Any = TrainingArguments, **settings: Any) -> Any:
    return kind(str(folder), use_cpu=True, report_to="none", disable_tqdm=True, **settings)


def mix_for(args: Any, **settings: Any) -> MixGuard:
    return MixGuard.for_trainer(HUMAN, SYNTHETIC, args, human_fraction=0.3, **settings)


class Recorder:
    """A collator that keeps what it is given."""

    def __init__(self) -> None:
        self.batches: list[list[list[int]]] = []

    def __call__(self, rows: Any) -> Any:
        self.batches.append([list(row["input_ids"]) for row in rows])
        return MixCollator(labels=True)(rows)


def duck(**changed: Any) -> Any:
    usual = {
        "per_device_train_batch_size": 4,
        "train_batch_size": 4,
        "gradient_accumulation_steps": 1,
        "world_size": 1,
        "max_steps": -1,
        "num_train_epochs": 3.0,
    }
    return SimpleNamespace(**{**usual, **changed})


@pytest.mark.parametrize(
    ("args", "read"),
    [
        (duck(), Training(4, epochs=3)),
        (duck(gradient_accumulation_steps=8), Training(32, epochs=3)),
        (duck(world_size=2, num_train_epochs=2.5), Training(8, epochs=3)),
        (duck(num_train_epochs=0.5), Training(4, epochs=1)),
        (duck(max_steps=7), Training(4, max_steps=7)),
        # Two cards in one process, each with its four rows.
        (duck(train_batch_size=8), Training(8, epochs=3)),
        # A batch is split among the processes, instead of each having one.
        (
            duck(world_size=2, accelerator_config=SimpleNamespace(split_batches=True)),
            Training(4, epochs=3),
        ),
        # Four of eight processes work on the same rows.
        (
            duck(world_size=8, parallelism_config=ParallelismConfig(tp_size=2, cp_size=2)),
            Training(8, epochs=3),
        ),
    ],
)
def test_what_a_trainer_is_told_gives_the_block(args: Any, read: Training) -> None:
    assert read_training(args) == read


@pytest.mark.parametrize(
    ("args", "read"),
    [
        (
            SimpleNamespace(num_processes=3, gradient_accumulation_steps=2, split_batches=False),
            Training(24),
        ),
        (
            SimpleNamespace(num_processes=3, gradient_accumulation_steps=2, split_batches=True),
            Training(8),
        ),
    ],
)
def test_accelerate_gives_the_block(args: Any, read: Training) -> None:
    assert read_training(args, 4) == read
    assert read_training(Accelerator(cpu=True, gradient_accumulation_steps=5), 4) == Training(20)


def test_lightning_gives_the_block() -> None:
    usual = {"accelerator": "cpu", "logger": False, "enable_checkpointing": False}
    for settings, read in (
        ({"max_epochs": 3, "accumulate_grad_batches": 2}, Training(8, epochs=3)),
        ({"max_steps": 5}, Training(4, max_steps=5)),
        ({"max_epochs": 2, "devices": 2, "strategy": "ddp_spawn"}, Training(8, epochs=2)),
    ):
        trainer = LightningTrainer(**usual, **settings)  # type: ignore[arg-type]
        assert read_training(trainer, 4) == read


@pytest.mark.parametrize(
    ("args", "batch_size", "message"),
    [
        (None, None, "`args` expected the TrainingArguments"),
        (TrainingArguments, None, "`args` expected the TrainingArguments"),
        (SimpleNamespace(per_device_train_batch_size=4), None, "`args` expected the Training"),
        (duck(), 4, "`batch_size` expected None"),
        (Accelerator(cpu=True), None, "`batch_size` expected a whole number"),
        (duck(auto_find_batch_size=True), None, "`auto_find_batch_size`.*leave it out"),
        (duck(packing=True), None, "`packing`.*leave it off"),
    ],
)
def test_what_cannot_be_read_off_is_refused(args: Any, batch_size: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        read_training(args, batch_size)
    with pytest.raises(ArgumentError, match=message):
        mix_for(args, batch_size=batch_size)


def test_a_block_size_besides_is_refused() -> None:
    with pytest.raises(ArgumentError, match="`block_size` expected none"):
        mix_for(duck(), block_size=4)


@pytest.mark.parametrize(
    ("settings", "slots"),
    [
        ({}, 192),
        ({"num_train_epochs": 1.5}, 128),
        ({"num_train_epochs": 0.25}, 64),
        ({"max_steps": 3}, 24),
        ({"max_steps": 8}, 64),
        ({"max_steps": 9}, 128),
    ],
)
def test_a_trainer_of_default_arguments_trains_on_the_mix(
    tmp_path: Path, settings: dict[str, Any], slots: int
) -> None:
    args = arguments(tmp_path, save_strategy="no", **settings)
    mix = mix_for(args)
    assert len(mix) == slots
    recorder = Recorder()
    trainer = Trainer(
        tiny_gpt2(), mix.trainer_arguments(), train_dataset=mix, data_collator=recorder
    )
    trainer.train()
    # As many steps as the Trainer would have made of its own.
    rows = settings.get("max_steps", 0) * 8 or int(64 * settings.get("num_train_epochs", 3.0))
    assert trainer.state.global_step == rows // 8
    seen = [row for batch in recorder.batches for row in batch]
    assert seen[:rows] == [mix[slot]["input_ids"] for slot in range(rows)]
    assert args.train_sampling_strategy == "random"
    assert args.num_train_epochs == settings.get("num_train_epochs", 3.0)


def test_each_step_holds_the_floor(tmp_path: Path) -> None:
    args = arguments(
        tmp_path,
        per_device_train_batch_size=2,
        gradient_accumulation_steps=5,
        save_strategy="no",
        dataloader_drop_last=True,
        train_sampling_strategy="group_by_length",
    )
    mix, recorder = mix_for(args), Recorder()
    Trainer(tiny_gpt2(), mix.trainer_arguments(), train_dataset=mix, data_collator=recorder).train()
    rows = [row for batch in recorder.batches for row in batch]
    steps = [rows[start : start + 10] for start in range(0, len(mix), 10)]
    assert len(steps) == 21
    assert {sum(row[0] == 1 for row in step) for step in steps} == {3}


def test_the_error_holds_the_line_to_write(tmp_path: Path) -> None:
    args = arguments(tmp_path, save_strategy="no")
    mix = MixGuard(HUMAN, SYNTHETIC, human_fraction=0.3, block_size=8)
    collator = MixCollator(labels=True)
    with pytest.raises(MixOrderError) as raised:
        Trainer(tiny_gpt2(), args, train_dataset=mix, data_collator=collator).train()
    line = next(part for part in str(raised.value).split(" write ") if part.startswith("args ="))
    given = {"mix": mix, "args": args}
    exec(line.split(",")[0], given)
    trainer = Trainer(tiny_gpt2(), given["args"], train_dataset=mix, data_collator=collator)
    trainer.train()
    assert trainer.state.global_step == len(mix) // 8


def test_arguments_of_another_global_batch_are_refused(tmp_path: Path) -> None:
    mix = mix_for(arguments(tmp_path))
    other = arguments(tmp_path, per_device_train_batch_size=12)
    with pytest.raises(ArgumentError, match=r"blocks of 8 rows, .*12 rows a step.*for_trainer"):
        mix.trainer_arguments(other)
    assert mix.trainer_arguments(arguments(tmp_path, gradient_accumulation_steps=2)).max_steps == -1


def test_a_reordering_strategy_is_changed_with_a_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    args = arguments(tmp_path, train_sampling_strategy="group_by_length")
    changed = mix_for(args).trainer_arguments()
    assert changed.train_sampling_strategy == "sequential"
    assert "train_sampling_strategy='group_by_length' would" in caplog.text


def test_a_mix_travels_with_its_arguments(tmp_path: Path) -> None:
    mix = pickle.loads(pickle.dumps(mix_for(arguments(tmp_path))))
    assert mix.trainer_arguments().num_train_epochs == 1.0


def test_what_has_no_arguments_is_told_what_to_write() -> None:
    mix = mix_for(Accelerator(cpu=True), batch_size=4)
    with pytest.raises(ArgumentError, match=r"DataLoader\(mix, batch_size, shuffle=False\)"):
        mix.trainer_arguments()


def test_accelerate_trains_on_it() -> None:
    accelerator = Accelerator(cpu=True, gradient_accumulation_steps=2)
    mix = mix_for(accelerator, batch_size=5)
    loader = accelerator.prepare(
        DataLoader(mix, 5, shuffle=False, collate_fn=MixCollator(labels=True))
    )
    mix.check_loader(loader)
    humans = [int((batch["input_ids"][:, 0] == 1).sum()) for batch in loader]
    assert {sum(humans[step : step + 2]) for step in range(0, len(humans), 2)} == {3}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:`gradient_checkpointing` is deprecated:FutureWarning")
def test_trl_trains_on_it(tmp_path: Path) -> None:
    from trl import SFTConfig, SFTTrainer

    args = arguments(
        tmp_path, SFTConfig, shuffle_dataset=True, max_steps=3, save_strategy="no", max_length=None
    )
    mix = mix_for(args)
    changed = mix.trainer_arguments()
    assert (changed.shuffle_dataset, args.shuffle_dataset) == (False, True)
    trainer = SFTTrainer(
        tiny_gpt2(),
        args=changed,
        train_dataset=as_hf_dataset(mix),
        processing_class=tiny_tokenizer(),
    )
    seen: list[list[int]] = []
    collate = trainer.data_collator

    def recorded(rows: list[dict[str, list[int]]]) -> Any:
        seen.extend(row["input_ids"] for row in rows)
        return collate(rows)

    trainer.data_collator = recorded
    trainer.train()
    assert seen[:24] == [mix[slot]["input_ids"] for slot in range(24)]


def train_on_process(folder: str) -> list[list[list[int]]]:
    args = arguments(
        Path(folder),
        ddp_backend="gloo",
        per_device_train_batch_size=5,
        gradient_accumulation_steps=2,
        num_train_epochs=2,
        save_strategy="no",
    )
    mix, recorder = mix_for(args), Recorder()
    Trainer(tiny_gpt2(), mix.trainer_arguments(), train_dataset=mix, data_collator=recorder).train()
    return recorder.batches


@pytest.mark.slow
def test_each_step_of_two_processes_holds_the_floor(tmp_path: Path) -> None:
    meeting = tmp_path / "meeting"
    meeting.mkdir()
    both = on_launched_processes(train_on_process, meeting, str(tmp_path / "run"))
    assert [len(batches) for batches in both] == [16, 16]
    for step in range(0, 16, 2):
        rows = [row for batches in both for batch in batches[step : step + 2] for row in batch]
        assert len(rows) == 20
        assert sum(row[0] == 1 for row in rows) == 6
