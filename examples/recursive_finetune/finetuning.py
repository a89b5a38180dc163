"""One generation's training: LoRA through the Trainer or the SFTTrainer, watched, and merged."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import numpy as np
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import (
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
    set_seed,
)

from collapse_guard import CollapseMonitor, MixCollator, MixGuard
from collapse_guard.alerts.sinks import tell_nobody
from collapse_guard.callbacks import CollapseGuardCallback
from collapse_guard.errors import bad_argument
from collapse_guard.examples.laboratory.regimes import Recipe, guard
from collapse_guard.examples.recursive_finetune.human_text import Rows
from collapse_guard.examples.recursive_finetune.processes import Processes
from collapse_guard.examples.recursive_finetune.progress import progress_bar
from collapse_guard.examples.recursive_finetune.regimes.regime import Lesson, Regime, Training
from collapse_guard.examples.recursive_finetune.settings import Settings
from collapse_guard.examples.recursive_finetune.sft import make_sft_trainer
from collapse_guard.mixing.reports.report import MixReport
from collapse_guard.model.decoding_columns import DRAWN_MASK_COLUMN
from collapse_guard.model.inputs import IGNORED_LABEL


def fine_tune(
    model: PreTrainedModel,
    recipe: Recipe,
    lesson: Lesson,
    regime: Regime,
    monitor: CollapseMonitor,
    settings: Settings,
    processes: Processes,
    tokenizer: PreTrainedTokenizerBase,
) -> tuple[PreTrainedModel, MixReport]:
    """Train a model for one generation and merge what it learned into its weights.

    Args:
        model: Taken apart by this; go on with the one returned.
        recipe: The rows that it is shown.
        lesson: What those were made of.
        regime: How it is trained on them.
        monitor: Looks at the model on the way, and keeps the alerts.
        settings: Of the run.
        processes: Of the run.
        tokenizer: Of the model.

    Returns:
        The trained model, and what it was shown.
    """
    mix = mix_rows(recipe, settings, lesson.seed)
    # An example may set the global seed: adapters are initialised from it.
    set_seed(lesson.seed)
    trained = _with_adapters(model, settings) if settings.lora_rank else model
    with TemporaryDirectory() as unused:
        arguments = training_arguments(settings, processes, Path(unused), lesson.seed)
        trainer = make_trainer(settings.trainer, trained, mix, arguments, tokenizer)
        # "raise", since results without the alerts would be wrong.
        callback = CollapseGuardCallback(monitor, sink=tell_nobody, on_error="raise")
        callback.attach(trainer)
        trainer.remove_callback(PrinterCallback)
        if processes.is_main:
            trainer.add_callback(_Bar())
        with regime.loss(Training(trainer, mix, lesson, settings)):
            trainer.train()
    if isinstance(trained, PeftModel):
        model = cast(PreTrainedModel, trained.merge_and_unload())
    # What an SFTTrainer leaves calls the forward that it found: each generation would add one.
    model.__dict__.pop("forward", None)
    regime.afterwards(model, lesson)
    return model, mix.report()


def _with_adapters(model: PreTrainedModel, settings: Settings) -> PeftModel:
    adapters = LoraConfig(
        r=settings.lora_rank,
        lora_alpha=settings.lora_rank,
        lora_dropout=0.0,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    return get_peft_model(model, adapters)


def mix_rows(recipe: Recipe, settings: Settings, seed: int) -> MixGuard:
    """The training rows of a generation: equally many in every regime that does not grow."""
    examples = replace(
        recipe,
        human=_as_examples(recipe.human, settings.prompt),
        written=[_written(rows, recipe, settings.prompt) for rows in recipe.written],
    )
    return guard(
        examples,
        block_size=settings.batch_size,
        length=settings.passes * (recipe.slots or settings.rows),
        max_repeats=max(4, 2 * settings.passes),
        seed=seed,
    )


def make_trainer(
    name: str,
    model: PreTrainedModel | PeftModel,
    mix: MixGuard,
    arguments: dict[str, Any],
    tokenizer: PreTrainedTokenizerBase,
) -> Trainer:
    """A trainer of a mix, in its order, with the loss on its `labels`, or on whole rows.

    Args:
        name: "hf", or "sft" for TRL's.
        model: With its adapters, if it has any.
        mix: The rows, all of one length.
        arguments: As `training_arguments` makes them.
        tokenizer: Of the model.

    Raises:
        MissingExtraError: TRL is not installed.
    """
    if name == "sft":
        return make_sft_trainer(model, mix, arguments, tokenizer)
    return Trainer(
        model=model,
        args=TrainingArguments(**arguments),
        train_dataset=mix,
        data_collator=MixCollator(labels=True),
    )


def _written(rows: Rows, recipe: Recipe, prompt: int) -> list[dict[str, Rows]]:
    examples = _as_examples(rows, prompt) or []
    if not prompt or recipe.decoding is None:
        return examples
    drawn = (np.arange(rows.shape[1]) >= prompt).astype(np.int64)
    return [{**row, DRAWN_MASK_COLUMN: drawn} for row in examples]


def _as_examples(rows: Rows | None, prompt: int) -> list[dict[str, Rows]] | None:
    """Rows whose loss is on what follows the prompt, human ones too: a person's answer counts."""
    if rows is None:
        return None
    if not prompt:
        return [{"input_ids": row} for row in rows]
    labels = rows.copy()
    labels[:, :prompt] = IGNORED_LABEL
    return [{"input_ids": r, "labels": answer} for r, answer in zip(rows, labels, strict=True)]


def training_arguments(
    settings: Settings, processes: Processes, folder: Path, seed: int
) -> dict[str, Any]:
    """The arguments of a generation's training, for `TrainingArguments` and what extends them.

    Args:
        settings: Of the run.
        processes: Of the run.
        folder: The trainer's.
        seed: Of everything random in it.

    Raises:
        ArgumentError: A step's rows cannot be shared out evenly.
    """
    on_device = settings.device_batch_size or settings.batch_size // processes.count
    accumulation, left_over = divmod(settings.batch_size, on_device * processes.count)
    if left_over or not accumulation:
        raise bad_argument(
            "batch_size",
            expected=f"a multiple of {processes.count} devices x {on_device} rows on each",
            given=settings.batch_size,
            hint="change --batch-size or --device-batch-size, or the number of processes",
        )
    return {
        "output_dir": str(folder),
        "num_train_epochs": 1,
        "per_device_train_batch_size": on_device,
        "gradient_accumulation_steps": accumulation,
        # MixGuard's order is the plan: shuffling it would break the floor of human rows.
        "train_sampling_strategy": "sequential",
        "learning_rate": settings.learning_rate,
        "lr_scheduler_type": "linear",
        "weight_decay": 0.0,
        "bf16": settings.bf16,
        "use_cpu": processes.device.type == "cpu",
        "seed": seed,
        "report_to": "none",
        "save_strategy": "no",
        "logging_strategy": "no",
        "disable_tqdm": True,
    }


class _Bar(TrainerCallback):
    """A bar that goes away, in place of the Trainer's that stays."""

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._bar = progress_bar("training", total=state.max_steps)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._bar.update()

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._bar.close()
