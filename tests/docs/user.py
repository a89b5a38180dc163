"""Small stand-ins for what a user has, and the code of a page run with them.

`python -m tests.docs.user README.md` runs the code of a page where pytest is not installed, as in
an environment that holds the wheel and what its users have.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from datasets import Dataset
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Trainer, TrainingArguments

import collapse_guard
from tests.docs.pages import code_blocks
from tests.tiny import tiny_gpt2, zipf_documents

ROWS = 128
ROW = 64


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


def what_a_user_has(folder: Path) -> dict[str, Any]:
    """Names that the front page takes for granted, and small things for them."""
    tokenizer = make_tokenizer()

    def rows(seed: int) -> Dataset:
        ids = [tokenizer.encode(text)[:ROW] for text in texts(ROWS, seed)]
        return Dataset.from_dict({"input_ids": ids})

    model = tiny_gpt2(vocab_size=len(tokenizer), positions=128)
    arguments = TrainingArguments(
        str(folder), max_steps=4, report_to="none", use_cpu=True, disable_tqdm=True
    )
    human_train = rows(1)
    # With words that no other text has, since people's have such too.
    held_out_texts = [f"quokkas, {text}" for text in texts(12, seed=2)]
    return {
        "tokenizer": tokenizer,
        "model": model,
        "human_train": human_train,
        "human_texts": texts(8, seed=1),
        "held_out_texts": held_out_texts,
        "held_out": {
            "text": held_out_texts,
            "title": [number // 2 for number in range(12)],
            "language": ["en", "de"] * 6,
        },
        "synthetic_train": rows(3),
        "trainer": Trainer(
            model,
            arguments,
            train_dataset=human_train,
            data_collator=collator,
            processing_class=tokenizer,
        ),
        "Trainer": Trainer,
        "TrainingArguments": lambda *given, **named: TrainingArguments(
            *given, **named, report_to="none", use_cpu=True, disable_tqdm=True, save_strategy="no"
        ),
        "output_dir": str(folder / "mixed"),
        "collator": collator,
    }


def run_blocks(page: Path, at_hand: dict[str, Any]) -> None:
    """Run a page's code, block after block, as if typed into one session."""
    for block in code_blocks(page):
        exec(compile(block, str(page), "exec"), at_hand)


def main() -> None:
    """Run the pages that are named, with what a user has."""
    for page in sys.argv[1:]:
        with TemporaryDirectory() as folder:
            run_blocks(Path(page), what_a_user_has(Path(folder)))
        print(f"{page}: {len(code_blocks(Path(page)))} blocks ran on {collapse_guard.__file__}")


if __name__ == "__main__":
    main()
