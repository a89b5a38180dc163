"""Reinforcement learning on sums by GRPO: entropy is spent, and reward is bought with it."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
from datasets import Dataset
from tokenizers import Regex, Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Split
from transformers import PreTrainedTokenizerFast, PrinterCallback

from collapse_guard.alerts.sinks import tell_nobody
from collapse_guard.callbacks import CollapseGuardCallback
from collapse_guard.examples.mistakes.arithmetic import (
    CHARACTERS,
    LENGTH,
    PROMPT,
    World,
    questions_of,
    right_answers,
    spelled,
)
from collapse_guard.examples.mistakes.learner import arguments, watching
from collapse_guard.examples.mistakes.self_training import READINGS, base_model, measured
from collapse_guard.extras import require

Floats = npt.NDArray[np.float64]

FRACTIONS = tuple(np.arange(5, 100, 5) / 100)
"""Shares of the steps that the law is fitted on."""

CLOSE = 0.05
"""How near to the reward at the end a forecast must come."""

LAST = 0.1
"""The share of the steps, at the end, whose mean is the reward at the end: a step's is noisy."""


def fit_law(entropy: Floats, reward: Floats) -> tuple[float, float]:
    """The `a` and `b` of reward = -a exp(entropy) + b, by least squares.

    The law is of Cui et al., The Entropy Mechanism of Reinforcement Learning for Reasoning Language
    Models, 2025 (arXiv 2505.22617), equation 1.

    Args:
        entropy: Of the policy, in nats a token, of shape (steps,).
        reward: Mean of each step, of shape (steps,).

    Example:
        >>> entropy = np.array([1.0, 0.5, 0.1])
        >>> [round(each, 6) for each in fit_law(entropy, 0.9 - 0.2 * np.exp(entropy))]
        [0.2, 0.9]
    """
    slope, offset = np.polyfit(np.exp(entropy), reward, 1)
    return float(-slope), float(offset)


def forecasts(entropy: Floats, reward: Floats) -> list[dict[str, float]]:
    """What the law says of the end, fitted on more and more of the steps.

    Returns:
        For each of `FRACTIONS`: `fraction`, `a`, `b`, `at_end`, the reward that the law gives for
        the entropy of the end, which has to be waited for, `exhausted`, what it gives for no
        entropy at all, -a + b, and `carried_on`, the mean of the last tenth of the fitted steps,
        which knows no law.
    """
    steps = len(reward)
    last = max(1, round(LAST * steps))
    found = []
    for fraction in FRACTIONS:
        seen = max(3, round(fraction * steps))
        a, b = fit_law(entropy[:seen], reward[:seen])
        found.append(
            {
                "fraction": float(fraction),
                "a": a,
                "b": b,
                "at_end": float(b - a * np.exp(entropy[-last:]).mean()),
                "exhausted": b - a,
                "carried_on": float(reward[max(0, seen - last) : seen].mean()),
            }
        )
    return found


def close_from(fractions: Floats, forecast: Floats, reward: float) -> float | None:
    """From which share of the steps on all forecasts are within `CLOSE`; None where none is.

    Args:
        fractions: Ascending, of shape (forecasts,).
        forecast: Of the reward at the end, of shape (forecasts,).
        reward: At the end.

    Example:
        >>> close_from(np.array([0.1, 0.2, 0.3]), np.array([0.9, 0.52, 0.49]), 0.5)
        0.2
    """
    off = np.flatnonzero(np.abs(forecast - reward) > CLOSE)
    first = 0 if not len(off) else int(off[-1]) + 1
    return float(fractions[first]) if first < len(fractions) else None


def reinforced(
    seed: int, *, steps: int, prompts: int, base_rows: int, learning_rate: float = 1e-4
) -> list[dict[str, Any]]:
    """Train a model that gets some sums right by GRPO, rewarded for right answers alone.

    Args:
        seed: Of everything random.
        steps: Of the optimizer.
        prompts: Questions of a step, each answered 8 times.
        base_rows: True sums that the model learned from before.
        learning_rate: Of AdamW, rising for a tenth of the steps and falling in a straight line.

    Returns:
        A record for each step, with `entropy` and `reward`; each look, with the readings; each of
        the forecasts; and one before and after.

    Raises:
        MissingExtraError: TRL is not installed.
    """
    trl = require("trl", "dev")
    world = World(seed)
    model = base_model(world, base_rows)
    before = measured(model, world, 8)
    monitor = watching(world, max(1, steps // 20))
    questions = questions_of(world.asked(steps * prompts, seed=10))
    data = Dataset.from_dict(
        {
            "prompt": spelled(questions),
            "answer": spelled(right_answers(questions)),
        }
    )
    with TemporaryDirectory() as unused:
        trainer = trl.GRPOTrainer(
            model=model,
            reward_funcs=_right,
            args=trl.GRPOConfig(
                **{
                    **arguments(Path(unused), seed, learning_rate),
                    "train_sampling_strategy": "random",
                    "per_device_train_batch_size": 8 * prompts,
                    "logging_strategy": "steps",
                },
                max_steps=steps,
                # Adam's first steps are as long as its learning rate, whatever the gradient: at
                # 5e-4 without this, the first one took 60% of right answers to 20%.
                warmup_steps=max(1, steps // 10),
                logging_steps=1,
                num_generations=8,
                max_completion_length=LENGTH - PROMPT,
                temperature=1.0,
                gradient_checkpointing=False,
            ),
            train_dataset=data,
            processing_class=_tokenizer(),
        )
        trainer.remove_callback(PrinterCallback)
        watch = CollapseGuardCallback(monitor, sink=tell_nobody, on_error="raise")
        watch.attach(trainer)
        trainer.train()
    logged = [row for row in trainer.state.log_history if "reward" in row]
    entropy, reward = (np.array([row[name] for row in logged]) for name in ("entropy", "reward"))
    path = [
        {"seed": seed, "step": row["step"], "entropy": row["entropy"], "reward": row["reward"]}
        for row in logged
    ]
    looks = [
        {"seed": seed, "look": look.step, **{name: look[name] for name in READINGS}}
        for look in monitor.history
    ]
    fits = [{"seed": seed, **each} for each in forecasts(entropy, reward)]
    after = measured(model, world, 8)
    last = max(1, round(LAST * steps))
    end = {
        "seed": seed,
        "before": before,
        "after": after,
        "reward_at_end": float(reward[-last:].mean()),
        "alerts": [[alert.step, alert.rule] for alert in monitor.alerts],
    }
    return [*path, *looks, *fits, end]


def _right(completions: list[str], answer: list[str], **_others: Any) -> list[float]:
    # The end is left out of what is given; an answer without one is longer.
    return [
        float(given.replace(" ", "") == right.rstrip(";"))
        for given, right in zip(completions, answer, strict=True)
    ]


def _tokenizer() -> PreTrainedTokenizerFast:
    characters = {each: number for number, each in enumerate(CHARACTERS)}
    # Nobody asks for the rare form here: it pads, so that the model needs no further type.
    tokenizer = Tokenizer(WordLevel(characters, unk_token="#"))
    tokenizer.pre_tokenizer = Split(Regex("."), "isolated")
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, eos_token=";", pad_token="#", unk_token="#"
    )
