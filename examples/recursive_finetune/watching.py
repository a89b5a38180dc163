"""What looks at the models of a chain: on the way through a training, and when it is done."""

from collections.abc import Sequence
from typing import Any

from transformers import PreTrainedTokenizerBase

from collapse_guard import (
    CollapseMonitor,
    EveryNSteps,
    HeldOutPanel,
    ReadingKind,
    Sampling,
    Threshold,
    default_rules,
    flattening_rules,
)
from collapse_guard.alerts.documents import without_blind
from collapse_guard.examples.recursive_finetune.settings import Settings
from collapse_guard.examples.recursive_finetune.tokenization import separator
from collapse_guard.readings.registry import READINGS

_ON_HUMAN_TEXT = (*default_rules(), *flattening_rules())
"""The rules on the way: a decoding that is taken for colder than it was flattens the model."""

_ON_OWN_TEXT = tuple(rule for rule in default_rules(sampling=True) if rule not in default_rules())
"""The rules on what a model writes, which is looked at after each generation."""


def rules_on_the_way(panel: HeldOutPanel) -> Sequence[Threshold]:
    """The rules of which a panel has enough documents: the smallest preset's is small for some."""
    return without_blind(_ON_HUMAN_TEXT, READINGS.values(), panel)


def on_the_way(
    settings: Settings, panel: HeldOutPanel, rules: Sequence[Threshold], **start: Any
) -> CollapseMonitor:
    """Looks at a model while it is trained.

    Args:
        settings: Of the run.
        panel: Held-out windows.
        rules: What is told of.
        start: What it goes on from, as of `CollapseMonitor`.
    """
    return CollapseMonitor(
        panel,
        rules=rules,
        pace=EveryNSteps(settings.every_n_steps),
        batch_size=settings.panel_batch_size,
        # What a generation writes is read once, at its end.
        sampling=None,
        **start,
    )


def when_done(
    settings: Settings,
    panel: HeldOutPanel,
    tokenizer: PreTrainedTokenizerBase,
    rare_words: ReadingKind | None,
    **start: Any,
) -> CollapseMonitor:
    """Looks at a generation when it is done, and at what it writes too.

    Args:
        settings: Of the run.
        panel: Held-out windows.
        tokenizer: Of the model.
        rare_words: The reading of rare words; None where the panel has too few.
        start: What it goes on from, as of `CollapseMonitor`.
    """
    texts = settings.own_texts
    prompts = max(2, texts // 4)
    sampling = Sampling(
        num_free=max(3, texts),
        num_prompts=min(prompts, len(panel)),
        samples_per_prompt=2,
        prompt_length=min(16, settings.window // 2),
        length=min(64, settings.window // 2),
        decoding=settings.decoding,
        start_ids=(separator(tokenizer),),
        batch_size=settings.sampling_batch_size,
    )
    return CollapseMonitor(
        panel,
        rules=_ON_OWN_TEXT,
        readings=[..., *([] if rare_words is None else [rare_words])],
        pace=EveryNSteps(settings.every_n_steps),
        batch_size=settings.panel_batch_size,
        sampling=sampling,
        **start,
    )
