"""The README's code, run as it stands there, with small stand-ins for what a user has."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Trainer, TrainingArguments

import collapse_guard
from collapse_guard import CollapseMonitor, Sampling
from collapse_guard.callbacks.records import record_keys
from tests.looks import ON_HUMAN_TEXT, WRITTEN
from tests.tiny import tiny_gpt2, tiny_panel, zipf_documents

README = Path(collapse_guard.__file__).parents[1] / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)


def texts(count: int, seed: int) -> list[str]:
    return [
        " ".join(f"word{token}" for token in ids)
        for ids in zipf_documents(count, length=300, seed=seed)
    ]


def make_tokenizer() -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        texts(10, seed=0),
        trainers.BpeTrainer(
            vocab_size=200,
            special_tokens=["<s>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="<s>")


def collator(rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
    ids = torch.tensor([row["input_ids"] for row in rows])
    return {"input_ids": ids, "labels": ids}


@pytest.fixture
def what_a_user_has(tmp_path: Path) -> dict[str, Any]:
    tokenizer = make_tokenizer()

    def rows(seed: int, count: int = 64) -> Dataset:
        ids = [tokenizer.encode(text)[:64] for text in texts(count, seed)]
        return Dataset.from_dict({"input_ids": ids})

    model = tiny_gpt2(vocab_size=len(tokenizer), positions=128)
    arguments = TrainingArguments(
        str(tmp_path), max_steps=4, report_to="none", use_cpu=True, disable_tqdm=True
    )
    human_train = rows(1)
    return {
        "tokenizer": tokenizer,
        "model": model,
        "human_train": human_train,
        "human_texts": texts(8, seed=1),
        "held_out_texts": texts(8, seed=2),
        "synthetic_train": rows(3),
        "trainer": Trainer(model, arguments, train_dataset=human_train, data_collator=collator),
        "Trainer": Trainer,
        "TrainingArguments": lambda *given, **named: TrainingArguments(
            *given, **named, report_to="none", use_cpu=True, disable_tqdm=True, save_strategy="no"
        ),
        "output_dir": str(tmp_path / "mixed"),
        "collator": collator,
        "loader": range(50),
        "train_on": lambda batch: None,
    }


def test_every_block_runs(
    what_a_user_has: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(BLOCKS) == 3
    for block in BLOCKS:
        exec(compile(block, str(README), "exec"), what_a_user_has)
    trainer = what_a_user_has["guard"]._trainer
    logged = [set(record) for record in trainer.state.log_history]
    assert any("eval_collapse/tail_retention" in record for record in logged)
    assert "% human" in capsys.readouterr().out


def test_quickstarts_are_ten_lines_at_most() -> None:
    for block in BLOCKS:
        assert len([line for line in block.splitlines() if line.strip()]) <= 10


def test_the_table_of_logged_keys_is_complete() -> None:
    text = README.read_text(encoding="utf-8")
    table = text[text.index("## What is logged") : text.index("## What an alert means")]
    listed = set(re.findall(r"`(?:eval_collapse/)?(\w+)`", table))
    monitor = CollapseMonitor(tiny_panel(), sampling=Sampling())
    logged = set(record_keys(monitor))
    assert listed == logged
    assert set(ON_HUMAN_TEXT) | set(WRITTEN) < logged
