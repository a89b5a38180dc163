"""TRL's `SFTTrainer`, which takes only Hugging Face data sets and prepares them itself."""

from pathlib import Path
from typing import Any

import datasets
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from collapse_guard import MixGuard, MixOrderError
from collapse_guard.integrations import as_hf_dataset
from tests.tiny import tiny_llama

PER_DEVICE, ACCUMULATION = 4, 2

pytestmark = [
    pytest.mark.slow,
    # What TRL itself does with transformers 5 and torch.
    pytest.mark.filterwarnings("ignore:`gradient_checkpointing` is deprecated:FutureWarning"),
]


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    words = ["[PAD]", "</s>", "human", "synthetic", *map(str, range(40))]
    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="[PAD]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]", eos_token="</s>")


def make_guard() -> MixGuard:
    def texts(kind: str, count: int) -> datasets.Dataset:
        return datasets.Dataset.from_dict({"text": [f"{kind} {n}" for n in range(count)]})

    return MixGuard(
        texts("human", 12),
        texts("synthetic", 40),
        human_fraction=0.3,
        block_size=PER_DEVICE * ACCUMULATION,
        length=24,
        epochs=2,
    )


def train(folder: Path, **settings: Any) -> list[list[str]]:
    """Fine-tune, and say which texts each optimizer step saw."""
    from trl import SFTConfig, SFTTrainer

    tokenizer = tiny_tokenizer()
    resume = settings.pop("resume_from_checkpoint", None)
    arguments = {
        "per_device_train_batch_size": PER_DEVICE,
        "gradient_accumulation_steps": ACCUMULATION,
        "num_train_epochs": 1,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "use_cpu": True,
        "bf16": False,
        "dataloader_pin_memory": False,
    } | settings
    trainer = SFTTrainer(
        model=tiny_llama(),
        args=SFTConfig(output_dir=str(folder), **arguments),
        train_dataset=as_hf_dataset(make_guard()),
        processing_class=tokenizer,
    )
    seen: list[str] = []
    collate = trainer.data_collator

    def recorded(rows: list[dict[str, list[int]]]) -> Any:
        seen.extend(tokenizer.decode(row["input_ids"][:2]) for row in rows)
        return collate(rows)

    trainer.data_collator = recorded
    trainer.train(resume_from_checkpoint=resume)
    step = PER_DEVICE * ACCUMULATION
    return [seen[start : start + step] for start in range(0, len(seen), step)]


def test_each_step_sees_its_quota_and_a_resume_goes_on(tmp_path: Path) -> None:
    settings = {"train_sampling_strategy": "sequential"}
    steps = train(tmp_path, save_strategy="steps", save_steps=4, **settings)
    guard = make_guard()
    assert [text for step in steps for text in step] == [
        guard[slot]["text"] for slot in range(len(guard))
    ]
    assert [sum(text.startswith("human") for text in step) for step in steps] == [3] * 6
    resumed = train(tmp_path, resume_from_checkpoint=str(tmp_path / "checkpoint-4"), **settings)
    assert resumed == steps[4:]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, r'train_sampling_strategy="sequential"'),
        ({"per_device_train_batch_size": 1}, r'train_sampling_strategy="sequential"'),
        ({"packing": True, "max_length": 16}, "packing=False"),
        ({"shuffle_dataset": True}, "shuffle_dataset=True"),
        ({"max_length": 1, "truncation_mode": "keep_start"}, None),
    ],
)
def test_what_would_void_the_floor_is_refused(
    tmp_path: Path, settings: dict[str, Any], message: str | None
) -> None:
    if message is None:  # truncation alone keeps every row
        assert len(train(tmp_path, train_sampling_strategy="sequential", **settings)) == 6
        return
    with pytest.raises(MixOrderError, match=message):
        train(tmp_path, **settings)
