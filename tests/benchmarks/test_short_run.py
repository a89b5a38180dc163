"""What `watch` costs a short run of a pretrained model: 100 steps with adapters, by a clock.

SMOLLM2 names a folder as `make demo-real` makes it, WIKITEXT a file of WikiText-2; without them
there is nothing to measure. Eight minutes on two quiet cores.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer, Trainer, TrainingArguments

from collapse_guard import watch
from tests.alarms.texts import every_other, wikitext as articles_of, without

pytestmark = pytest.mark.benchmark

STEPS, ROWS, TOKENS = 100, 8, 128
MODEL, WIKITEXT = (os.environ.get(name) for name in ("SMOLLM2", "WIKITEXT"))


@pytest.fixture
def _all_processors() -> Iterator[None]:
    """As users train; other benchmarks keep to one, those that follow too."""
    before = torch.get_num_threads()
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("_all_processors")
@pytest.mark.skipif(not MODEL or not WIKITEXT, reason="SMOLLM2 or WIKITEXT names nothing")
def test_looks_of_a_short_run(tmp_path: Path) -> None:
    articles = articles_of(Path(str(WIKITEXT)))
    held_out = every_other(articles)
    tokenizer = AutoTokenizer.from_pretrained(str(MODEL))
    rest = tokenizer("\n".join(without(articles, held_out)), return_tensors="pt").input_ids[0]
    rows = rest[: len(rest) // TOKENS * TOKENS].reshape(-1, TOKENS)
    torch.manual_seed(0)
    model = get_peft_model(
        AutoModelForCausalLM.from_pretrained(str(MODEL), dtype=torch.float32),
        LoraConfig(r=16, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM"),
    )
    data: Any = [{"input_ids": row, "labels": row} for row in rows]
    arguments = TrainingArguments(
        str(tmp_path),
        max_steps=STEPS,
        per_device_train_batch_size=ROWS,
        learning_rate=1e-4,
        use_cpu=True,
        disable_tqdm=True,
        report_to="none",
        save_strategy="no",
    )
    trainer = Trainer(model, arguments, train_dataset=data, processing_class=tokenizer)
    texts = ["\n".join(articles[name]) for name in held_out]
    watched = watch(trainer, held_out=texts, record=False)
    took = trainer.train().metrics["train_runtime"]
    spent = watched.monitor.overhead_spent
    print(f"\n{len(watched.panel.input_ids)} windows, {took:.0f} s, looks {spent:.1%} of training")
