"""TRL's trainers, watched: readings are logged, and nothing else is different."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import Dataset
from peft import LoraConfig
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformers import PreTrainedTokenizerFast, Trainer
from trl import DPOConfig, DPOTrainer, GRPOConfig, GRPOTrainer, SFTConfig, SFTTrainer

from tests.callbacks.huggingface.runs import Recorder, guarded, readings_in
from tests.tiny import BRIEF, VOCAB, tiny_llama, tiny_panel

pytestmark = [
    pytest.mark.slow,
    # trl 1.16 calls a setting by the name that transformers 5 has changed.
    pytest.mark.filterwarnings("ignore:`gradient_checkpointing:FutureWarning"),
]

NUM_WINDOWS = len(tiny_panel())
STEPS = 4
WINDOWS = {1: 2, 2: NUM_WINDOWS, 3: 3}


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    words = {"<eos>": 0, "<pad>": 1, **{f"w{index}": index for index in range(2, VOCAB)}}
    tokenizer = Tokenizer(WordLevel(words, unk_token="w2"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<eos>", pad_token="<pad>", unk_token="w2"
    )


def texts(count: int, words: int, seed: int) -> list[str]:
    drawn = np.random.default_rng(seed).integers(2, VOCAB, size=(count, words))
    return [" ".join(f"w{index}" for index in row) for row in drawn]


def settings(folder: Path) -> dict[str, Any]:
    return {
        "output_dir": str(folder),
        "per_device_train_batch_size": 4,
        "max_steps": STEPS,
        "learning_rate": 1e-2,
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": "none",
        "use_cpu": True,
        "bf16": False,
        "disable_tqdm": True,
        "seed": 3,
    }


def sft(folder: Path, peft_config: LoraConfig | None) -> Trainer:
    return SFTTrainer(
        model=tiny_llama(),
        args=SFTConfig(**settings(folder), max_length=32, eval_strategy="steps", eval_steps=2),
        train_dataset=Dataset.from_dict({"text": texts(16, 12, seed=1)}),
        eval_dataset=Dataset.from_dict({"text": texts(4, 12, seed=2)}),
        processing_class=tiny_tokenizer(),
        peft_config=peft_config,
    )


def dpo(folder: Path, peft_config: LoraConfig | None) -> Trainer:
    pairs = {
        "prompt": texts(16, 4, seed=1),
        "chosen": texts(16, 6, seed=2),
        "rejected": texts(16, 6, seed=3),
    }
    return DPOTrainer(
        model=tiny_llama(),
        # Adapters are their own reference: the model without them.
        ref_model=None if peft_config else tiny_llama(),
        args=DPOConfig(**settings(folder), max_length=32),
        train_dataset=Dataset.from_dict(pairs),
        processing_class=tiny_tokenizer(),
        peft_config=peft_config,
    )


def short_words_first(completions: list[str], **kwargs: Any) -> list[float]:
    return [float(completion.count("w1")) for completion in completions]


def grpo(folder: Path, peft_config: LoraConfig | None) -> Trainer:
    return GRPOTrainer(
        model=tiny_llama(),
        reward_funcs=short_words_first,
        args=GRPOConfig(**settings(folder), num_generations=2, max_completion_length=8),
        train_dataset=Dataset.from_dict({"prompt": texts(16, 4, seed=1)}),
        processing_class=tiny_tokenizer(),
        peft_config=peft_config,
    )


# What each trainer alone logs of its training; it gathers them in one mode of the model.
OWN_METRICS = {
    sft: {"entropy", "mean_token_accuracy", "num_tokens"},
    dpo: {"rewards/margins", "rewards/accuracies", "logps/chosen"},
    grpo: {"reward", "completions/mean_length", "entropy"},
}
TIMES = ("step_time", "runtime", "samples_per_second", "steps_per_second")


@pytest.mark.parametrize("adapter", [False, True], ids=["full", "lora"])
@pytest.mark.parametrize("make", OWN_METRICS)
def test_trl_trainers_are_watched_and_undisturbed(
    tmp_path: Path, make: Callable[..., Trainer], adapter: bool
) -> None:
    def run(*, attached: bool) -> tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]:
        lora = LoraConfig(r=2, lora_dropout=0.1, target_modules=["q_proj"], task_type="CAUSAL_LM")
        trainer = make(tmp_path, lora if adapter else None)
        recorder = Recorder()
        trainer.add_callback(recorder)
        if attached:
            guarded(windows=WINDOWS, against_base=adapter, sampling=BRIEF).attach(trainer)
        trainer.train()
        weights = {name: each.tolist() for name, each in trainer.model.state_dict().items()}
        return weights, trainer.state.log_history, recorder.records

    def own(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
        rows = [row for row in records if not any("collapse" in key for key in row)]
        return [
            {key: value for key, value in row.items() if not key.endswith(TIMES)} for row in rows
        ]

    plain_weights, plain_history, plain_records = run(attached=False)
    weights, history, records = run(attached=True)
    assert weights == plain_weights
    evaluated = [row for row in history if "eval_loss" in row]
    assert own(records) == own(plain_records)
    assert own(history) == own(plain_history)
    train_rows = [row for row in own(history) if "loss" in row]
    assert len(train_rows) == STEPS
    assert all(OWN_METRICS[make] <= set(row) for row in train_rows)
    for found in (readings_in(history), readings_in(records)):
        assert [row["step"] for row in found] == [0, 1, 2, 3, STEPS]
        assert found[-1]["eval_collapse/tail_retention"] != 1.0
        assert ("eval_collapse/tail_retention_vs_base" in found[-1]) == adapter
    assert len(evaluated) == (2 if make is sft else 0)
