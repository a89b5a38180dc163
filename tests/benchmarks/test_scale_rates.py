"""What one core goes through in a second: tokens counted and weighed, text tokenized.

The texts are those of `test_command_line_audit`, tokenized by a byte-level BPE of 32,000 types that
was trained on them. Best of three, seconds of the processor.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from collapse_guard import HumanReference, TypeCounts
from collapse_guard.audit import row_rarity
from collapse_guard.rows.column import encoder
from tests.benchmarks.test_command_line_audit import write_texts

pytestmark = pytest.mark.benchmark

TYPES = 32_000


def best(work: Callable[[], Any]) -> float:
    """Seconds of the processor of the fastest of three."""
    times = []
    for _ in range(3):
        begin = time.process_time()
        work()
        times.append(time.process_time() - begin)
    return min(times)


def test_rates_of_one_core(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import json

    import datasets

    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")
    write_texts(tmp_path / "texts.jsonl", 12, seed=0, temperature=1.0)
    lines = (tmp_path / "texts.jsonl").read_text(encoding="utf-8").splitlines()
    texts = [json.loads(line)["text"] for line in lines]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel()
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(texts[:4_000], trainers.BpeTrainer(vocab_size=TYPES))
    size, types = len(tokenizer.get_vocab()), tokenizer.get_vocab_size()
    megabytes = sum(len(text.encode()) for text in texts) / 1e6

    def tokenized() -> TypeCounts:
        return TypeCounts.of([encoder(tokenizer)(texts).ids], vocab_size=size)

    seconds = best(tokenized)
    print(f"\n| tokenize and count | {megabytes / seconds:.1f} MB of text |")
    counts = tokenized()
    ids = np.random.default_rng(0).choice(
        types, (100_000, 512), p=counts.counts[:types] / counts.counts.sum()
    )
    table = pa.table({"input_ids": list(ids.astype(np.int32))})
    tokens = ids.size / 1e6
    seconds = best(lambda: TypeCounts.of_table(table, "input_ids", vocab_size=size))
    print(f"| count tokens that there are | {tokens / seconds:.0f} million tokens |")
    reference, rows = HumanReference.from_type_counts(counts), datasets.Dataset(table)
    seconds = best(lambda: row_rarity(rows, reference))
    print(f"| rarity of rows of 512 tokens | {tokens / seconds:.1f} million tokens |")
