"""TRL's `SFTTrainer` on packs that were made here: no rows in another order, no borders crossed."""

from pathlib import Path
from typing import Any

import pytest
import torch

from collapse_guard import ArgumentError, Decoding, MixGuard, MixOrderError, Source, unmark_labels
from collapse_guard.callbacks import MixLedgerCallback
from collapse_guard.integrations import as_hf_dataset, match_sampler
from collapse_guard.mixing.packing.packed_mix import PackedMix
from collapse_guard.mixing.reports.ledger import read_ledger
from tests.mixing.test_sft import tiny_tokenizer
from tests.tiny import tiny_llama

pytestmark = [
    pytest.mark.slow,
    # What TRL itself does with transformers 5 and torch.
    pytest.mark.filterwarnings("ignore:`gradient_checkpointing` is deprecated:FutureWarning"),
]

SETTINGS = {"padding_free": True, "max_length": None, "train_sampling_strategy": "sequential"}


def packs(decoding: Decoding | None = None) -> PackedMix:
    def rows(mark: int, count: int) -> list[dict[str, list[int]]]:
        return [
            {"input_ids": [mark, 4 + n % 30, *range(5, 5 + n % 7)], "labels": [-100, 4 + n % 30]
             + [-100] * (n % 3 == 0) + list(range(5 + (n % 3 == 0), 5 + n % 7))}
            for n in range(count)
            if n % 7
        ]  # fmt: skip

    guard = MixGuard(
        rows(2, 30),
        Source(rows(3, 60), "model", "synthetic", decoding=decoding),
        human_fraction=0.3,
        block_size=4,
        unit="tokens",
        length=48,
    )
    return PackedMix(guard, 16)


def trainer_of(folder: Path, packed: PackedMix, **settings: Any) -> Any:
    from trl import SFTConfig, SFTTrainer

    arguments = {
        "per_device_train_batch_size": 2,
        "num_train_epochs": 1,
        "learning_rate": 0.0,
        "save_strategy": "no",
        "report_to": "none",
        "logging_steps": 1,
        "disable_tqdm": True,
        "use_cpu": True,
        "bf16": False,
        "dataloader_pin_memory": False,
        **SETTINGS,
    } | settings
    return SFTTrainer(
        model=tiny_llama(),
        args=SFTConfig(output_dir=str(folder), **arguments),
        train_dataset=as_hf_dataset(packed),
        processing_class=tiny_tokenizer(),
    )


def loss_of_rows(packed: PackedMix, number: int) -> float:
    """The mean over the trained tokens of the rows of one batch, each row read alone."""
    model, guard, sums, tokens = tiny_llama(), packed.guard, 0.0, 0
    for slot in packed.locate(range(2 * number, 2 * number + 2)).slot.tolist():
        row = guard[slot]
        ids, labels = torch.tensor([row["input_ids"]]), torch.tensor([row["labels"]])
        trained = int((labels[:, 1:] != -100).sum())
        if trained:
            with torch.no_grad():
                sums += float(model(input_ids=ids, labels=labels).loss) * trained
            tokens += trained
    return sums / tokens


def test_each_step_has_the_loss_of_its_rows(tmp_path: Path) -> None:
    packed = packs()
    trainer = trainer_of(tmp_path, packed)
    trainer.train()
    losses = [record["loss"] for record in trainer.state.log_history if "loss" in record]
    assert len(losses) == -(-len(packed) // 2)
    for number in range(len(packed) // 2):
        assert losses[number] == pytest.approx(loss_of_rows(packed, number), abs=2e-4)


def test_the_marks_of_decodings_arrive_in_the_loss(tmp_path: Path) -> None:
    packed = packs(Decoding(temperature=0.8))
    trainer = trainer_of(tmp_path, packed)
    seen: list[Any] = []
    collate = trainer.data_collator
    trainer.data_collator = lambda rows: seen.append(collate(rows)) or seen[-1]
    match_sampler(trainer, packed.guard)
    seen.clear()
    trainer.train()
    for number, batch in enumerate(seen):
        _, marks = unmark_labels(batch["labels"][0])
        located = packed.locate(range(2 * number, min(2 * number + 2, len(packed))))
        starts = (batch["position_ids"][0] == 0).nonzero().flatten()
        assert batch["position_ids"].shape[1] == int(located.tokens.sum())
        assert (batch["labels"][0][starts] == -100).all()
        of_row = marks.split(located.tokens[located.tokens > 0].tolist())
        drawn = [bool(part.any()) for part in of_row]
        assert drawn == (~located.is_human[located.tokens > 0]).tolist()


def test_a_collator_that_forgets_the_segments_is_refused_with_the_ledger(tmp_path: Path) -> None:
    packed = packs()
    trainer = trainer_of(tmp_path, packed, padding_free=False)
    trainer.add_callback(MixLedgerCallback(packed))
    with pytest.raises(ArgumentError, match="padding_free=True"):
        trainer.train()
    trainer = trainer_of(tmp_path, packed)
    trainer.add_callback(MixLedgerCallback(packed, on_error="raise"))
    trainer.train()
    assert read_ledger(tmp_path)["total"]["slots"] == len(packed.guard)


def test_rows_whose_tokens_count_are_not_cut(tmp_path: Path) -> None:
    with pytest.raises(MixOrderError, match="max_length=None"):
        trainer_of(tmp_path, packs(), padding_free=False, max_length=8)
    mix = as_hf_dataset(packs().guard)
    with pytest.raises(MixOrderError, match="would be cut"):
        mix.map(lambda row: {"input_ids": row["input_ids"][:3], "labels": row["labels"][:3]})
    kept = mix.map(lambda row: {"text": "a"}).remove_columns("labels")
    assert kept.counts_tokens


@pytest.mark.parametrize("settings", [{"train_sampling_strategy": "random"}, {"packing": True}])
def test_what_would_void_the_floor_is_refused(tmp_path: Path, settings: dict[str, Any]) -> None:
    if "packing" in settings:
        settings = {**settings, "max_length": 16}
    with pytest.raises(MixOrderError):
        trainer_of(tmp_path, packs(), **settings).train()
