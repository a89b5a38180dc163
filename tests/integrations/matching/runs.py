"""Small runs on rows whose labels are marked, and what their first step should come to."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformers import (
    DataCollatorForSeq2Seq,
    Gemma2Config,
    Gemma2ForCausalLM,
    MixtralConfig,
    MixtralForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

from collapse_guard import Decoding, mark_labels, sampler_matched_loss
from collapse_guard.model.marked_labels import unmark_labels
from tests.tiny import VOCAB, _seeded

DECODINGS = [Decoding(temperature=0.6), Decoding(temperature=0.9, top_k=10), Decoding(top_p=0.8)]

SIZES = {
    "vocab_size": VOCAB,
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "pad_token_id": 1,
}

Row = dict[str, list[int]]


def tiny_mixtral(*, seed: int = 0) -> PreTrainedModel:
    config = MixtralConfig(
        **SIZES, num_local_experts=4, output_router_logits=True, router_aux_loss_coef=0.1
    )
    return _seeded(MixtralForCausalLM, config, seed)


def tiny_gemma2(*, seed: int = 0) -> PreTrainedModel:
    """A model that caps its logits, hard enough to be seen."""
    config = Gemma2Config(**SIZES, head_dim=8, final_logit_softcapping=2.0)
    return _seeded(Gemma2ForCausalLM, config, seed)


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    words = {"<eos>": 0, "<pad>": 1, **{f"w{index}": index for index in range(2, VOCAB)}}
    tokenizer = Tokenizer(WordLevel(words, unk_token="w2"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<eos>", pad_token="<pad>", unk_token="w2"
    )


def ragged_rows(
    count: int = 8, *, marked: bool = True, prompt: int = 0, longest: int = 20, seed: int = 5
) -> list[Row]:
    """Rows of several lengths: plain ones, drawn ones, and ones that are partly both.

    Args:
        count: How many.
        marked: Whether drawn tokens say so.
        prompt: Tokens at the beginning of each that are not trained on.
        longest: Most tokens of a row.
        seed: Of all of it.
    """
    generator = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        ids = generator.integers(2, VOCAB, size=generator.integers(6, longest + 1))
        drawn_with = np.full_like(ids, number % 4) if number % 3 else ids % 4
        labels = mark_labels(ids, drawn_with) if marked else ids.copy()
        labels[:prompt] = -100
        rows.append({"input_ids": ids.tolist(), "labels": labels.tolist()})
    return rows


def settings(folder: Path, **changed: Any) -> dict[str, Any]:
    return {
        "output_dir": str(folder),
        "per_device_train_batch_size": 4,
        "learning_rate": 1e-2,
        "max_grad_norm": 0.0,
        "save_strategy": "no",
        "report_to": "none",
        "use_cpu": True,
        "disable_tqdm": True,
        "seed": 3,
    } | changed


def make_trainer(
    folder: Path, model: PreTrainedModel, rows: Sequence[Row], **changed: Any
) -> Trainer:
    own = {name: changed.pop(name) for name in ("data_collator", "eval_dataset") if name in changed}
    return Trainer(
        model=model,
        args=TrainingArguments(**settings(folder, **changed)),
        train_dataset=Dataset.from_list(list(rows)),
        **({"data_collator": DataCollatorForSeq2Seq(tiny_tokenizer())} | own),
    )


def make_sft(folder: Path, model: PreTrainedModel, rows: Sequence[Row], **changed: Any) -> Trainer:
    from trl import SFTConfig, SFTTrainer

    own = {name: changed.pop(name) for name in ("peft_config", "eval_dataset") if name in changed}
    common = {"bf16": False, "activation_checkpointing": False, "max_length": 64}
    return SFTTrainer(
        model=model,
        args=SFTConfig(**settings(folder, **(common | changed))),
        train_dataset=Dataset.from_list(list(rows)),
        processing_class=tiny_tokenizer(),
        **own,
    )


class Gradients(TrainerCallback):
    """Keeps what the first optimizer step was taken with."""

    def __init__(self) -> None:
        self.found: dict[str, torch.Tensor] = {}

    def on_pre_optimizer_step(self, args, state, control, model=None, **kwargs) -> None:
        self.found = self.found or gradients_of(model)


def gradients_of(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {
        name: weight.grad.clone()
        for name, weight in model.named_parameters()
        if weight.grad is not None
    }


def first_step(trainer: Trainer) -> tuple[float, dict[str, torch.Tensor]]:
    """The loss of a run's only step, and its gradients."""
    trainer.args.max_steps, trainer.args.logging_steps = 1, 1
    kept = Gradients()
    trainer.add_callback(kept)
    trainer.train()
    return trainer.state.log_history[0]["loss"], kept.found


def expected_step(
    model: torch.nn.Module,
    rows: Sequence[Row],
    decodings: Sequence[Decoding] = DECODINGS,
    *,
    scale_by_temperature: bool = False,
    predicts_first: bool = False,
) -> tuple[float, dict[str, torch.Tensor]]:
    """The same from full logits, row by row, without padding: changes the model's gradients.

    With `predicts_first` a row's first token is predicted too, from virtual tokens before it; the
    trainers do not count it.
    """
    first = 0 if predicts_first else 1
    count = sum(label != -100 for row in rows for label in row["labels"][1:])
    total = 0.0
    model.zero_grad()
    for row in rows:
        ids, labels = (torch.tensor(row[name]) for name in ("input_ids", "labels"))
        tokens, drawn_with = unmark_labels(labels)
        loss = sampler_matched_loss(
            model(input_ids=ids[None]).logits[0, first - len(ids) - 1 : -1],
            tokens[first:],
            decodings,
            drawn_with[first:],
            num_items=count,
            scale_by_temperature=scale_by_temperature,
        )
        loss.backward()
        total += loss.item()
    return total, gradients_of(model)


def assert_same_step(
    found: tuple[float, dict[str, torch.Tensor]], expected: tuple[float, dict[str, torch.Tensor]]
) -> None:
    assert abs(found[0] - expected[0]) < 2e-5 * abs(expected[0])
    assert found[1].keys() == expected[1].keys()
    for name, gradient in expected[1].items():
        scale = gradient.abs().max()
        assert scale > 0, name
        torch.testing.assert_close(found[1][name] / scale, gradient / scale, atol=2e-5, rtol=1e-4)
