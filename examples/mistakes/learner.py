"""A tiny transformer that answers sums, and its training through the Trainer."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PrinterCallback,
    Trainer,
    TrainingArguments,
    set_seed,
)

from collapse_guard import CollapseMonitor, EveryNSteps, MixCollator, MixGuard
from collapse_guard.alerts.sinks import tell_nobody
from collapse_guard.callbacks import CollapseGuardCallback
from collapse_guard.examples.laboratory.regimes import Recipe, guard
from collapse_guard.examples.mistakes.arithmetic import CHARACTERS, LENGTH, PROMPT, Ids, World
from collapse_guard.model.inputs import IGNORED_LABEL

BATCH = 64
"""Rows of a training step."""


def new_learner(seed: int, width: int = 64) -> PreTrainedModel:
    """A model that knows nothing yet.

    Args:
        seed: Of its weights.
        width: Of its hidden states.
    """
    set_seed(seed)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(CHARACTERS),
            hidden_size=width,
            intermediate_size=4 * width,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=4,
            max_position_embeddings=2 * LENGTH,
            bos_token_id=None,
            eos_token_id=CHARACTERS.index(";"),
            pad_token_id=None,
        )
    )


def watching(
    world: World, look_every: int, *, continues: CollapseMonitor | None = None
) -> CollapseMonitor:
    """What looks at the held-out sums on the way, and at nothing that a model writes.

    Args:
        world: Whose sums.
        look_every: Steps between two looks; the callback looks before and after too.
        continues: The monitor of the generation before.
    """
    return CollapseMonitor(
        world.panel,
        pace=EveryNSteps(look_every),
        sampling=None,
        batch_size=256,
        continues=continues,
    )


def train(
    model: PreTrainedModel,
    recipe: Recipe,
    rows: int,
    *,
    seed: int,
    learning_rate: float = 1e-3,
    monitor: CollapseMonitor | None = None,
) -> MixGuard:
    """Train a model on the answers of a recipe's rows, mixed by `MixGuard`.

    Args:
        model: Trained where it is.
        recipe: Rows of shape (rows, `LENGTH`), human and written.
        rows: How many are shown, the same in every regime.
        seed: Of their order.
        learning_rate: Of AdamW, falling in a straight line.
        monitor: Looks at the model on the way, and keeps the alerts.

    Returns:
        The mix, whose report says what was shown.
    """
    examples = Recipe(
        None if recipe.human is None else _examples(recipe.human),
        [_examples(each) for each in recipe.written],
        recipe.human_fraction,
    )
    # Answers that pass a filter may be few: they are shown more often.
    fewest = min(len(each) for each in (recipe.human, *recipe.written) if each is not None)
    mix = guard(examples, block_size=BATCH, length=rows, max_repeats=2 + rows // fewest, seed=seed)
    with TemporaryDirectory() as unused:
        trainer = Trainer(
            model=model,
            args=TrainingArguments(**arguments(Path(unused), seed, learning_rate)),
            train_dataset=mix,
            data_collator=MixCollator(labels=True),
        )
        trainer.remove_callback(PrinterCallback)
        if monitor is not None:
            # "raise", since results without the alerts would be wrong.
            watch = CollapseGuardCallback(monitor, sink=tell_nobody, on_error="raise")
            watch.attach(trainer)
        trainer.train()
    return mix


def arguments(folder: Path, seed: int, learning_rate: float) -> dict[str, Any]:
    """What all trainers of this example are told.

    Args:
        folder: The trainer's.
        seed: Of everything random in it.
        learning_rate: At the start.
    """
    return {
        "output_dir": str(folder),
        "num_train_epochs": 1,
        "per_device_train_batch_size": BATCH,
        # MixGuard's order is the plan: shuffling it would break the floor of human rows.
        "train_sampling_strategy": "sequential",
        "learning_rate": learning_rate,
        "lr_scheduler_type": "linear",
        "weight_decay": 0.0,
        "bf16": False,
        "use_cpu": True,
        "seed": seed,
        "report_to": "none",
        "save_strategy": "no",
        "logging_strategy": "no",
        "disable_tqdm": True,
    }


def answers(
    model: PreTrainedModel, questions: Ids, *, samples: int = 1, seed: int | None = None
) -> Ids:
    """What a model answers, drawn at temperature 1, or its likeliest characters.

    Args:
        model: Left as it is.
        questions: int64 of shape (questions, `PROMPT`).
        samples: Answers to each question.
        seed: Of the draws; None for the likeliest characters.

    Returns:
        int64 of shape (questions, samples, `LENGTH` - `PROMPT`).
    """
    asked = torch.from_numpy(np.repeat(questions, samples, axis=0))
    generator = torch.Generator().manual_seed(0 if seed is None else seed)
    model.eval()  # type: ignore[no-untyped-call]
    with torch.inference_mode():
        for _ in range(LENGTH - PROMPT):
            last = torch.cat([model(input_ids=each).logits[:, -1] for each in asked.split(4096)])
            chosen = (
                last.argmax(1, keepdim=True)
                if seed is None
                else torch.multinomial(last.softmax(1), 1, generator=generator)
            )
            asked = torch.cat([asked, chosen], dim=1)
    drawn: Ids = asked[:, PROMPT:].numpy()
    return drawn.reshape(len(questions), samples, LENGTH - PROMPT)


def probabilities(model: PreTrainedModel, questions: Ids, given: Ids) -> "np.typing.NDArray[Any]":
    """The probability of a whole answer to each question, float64 of shape (questions,).

    Args:
        model: Left as it is.
        questions: int64 of shape (questions, `PROMPT`).
        given: Answers, int64 of shape (questions, characters).
    """
    rows = torch.from_numpy(np.hstack([questions, given]))
    model.eval()  # type: ignore[no-untyped-call]
    with torch.inference_mode():
        logprobs = model(input_ids=rows).logits[:, PROMPT - 1 : -1].double().log_softmax(2)
    chosen = logprobs.gather(2, rows[:, PROMPT:, None]).sum((1, 2)).exp()
    return np.asarray(chosen.numpy())


def _examples(rows: Ids) -> Sequence[dict[str, Ids]]:
    labels = rows.copy()
    labels[:, :PROMPT] = IGNORED_LABEL
    return [{"input_ids": r, "labels": answer} for r, answer in zip(rows, labels, strict=True)]
