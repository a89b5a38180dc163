"""The same fine-tuning through TRL's `SFTTrainer`, which many people's runs go through."""

from typing import Any

import datasets
from peft import PeftModel
from transformers import PreTrainedModel, PreTrainedTokenizerBase, Trainer

from collapse_guard import MixGuard
from collapse_guard.extras import require
from collapse_guard.integrations.mixed_dataset import as_hf_dataset


def make_sft_trainer(
    model: PreTrainedModel | PeftModel,
    mix: MixGuard,
    arguments: dict[str, Any],
    tokenizer: PreTrainedTokenizerBase,
) -> Trainer:
    """A trainer of a mix, in its order: the loss is on its `labels`, or on whole rows.

    Args:
        model: With its adapters, if it has any.
        mix: Rows of one length.
        arguments: Those of `TrainingArguments`.
        tokenizer: Of the model. Nothing is tokenized, but without it the trainer asks the hub.

    Raises:
        MissingExtraError: TRL is not installed.
    """
    trl = require("trl", "dev")
    # Where nothing is tokenized they tell nothing.
    datasets.disable_progress_bars()
    trainer: Trainer = trl.SFTTrainer(
        model=model,
        args=trl.SFTConfig(
            **arguments,
            # Rows are whole, and all of one length.
            max_length=None,
            packing=False,
            # On by default, which costs a second forward pass.
            activation_checkpointing=False,
        ),
        train_dataset=as_hf_dataset(mix),
        processing_class=tokenizer,
    )
    return trainer
