"""The Trainer and TRL's SFTTrainer fine-tune alike: on whole rows, and on answers alone."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model

from collapse_guard import CollapseMonitor, EveryNSteps, MixGuard, mark_labels
from collapse_guard.examples.recursive_finetune.finetuning import (
    fine_tune,
    make_trainer,
    mix_rows,
    training_arguments,
)
from collapse_guard.examples.recursive_finetune.processes import Processes
from collapse_guard.examples.recursive_finetune.regimes.regime import Lesson
from collapse_guard.examples.recursive_finetune.regimes.registry import REGIMES
from collapse_guard.examples.recursive_finetune.settings import TRAINERS, Settings
from collapse_guard.integrations.matching.match_sampler import match_sampler
from tests.integrations.matching.runs import (
    assert_same_step,
    expected_step,
    first_step,
    tiny_tokenizer,
)
from tests.tiny import BRIEF, VOCAB, tiny_llama, tiny_panel, tiny_reference

WINDOW, ROWS, BATCH = 20, 16, 8


@pytest.fixture
def processes() -> Processes:
    return Processes(cpu=True)


def settings(**changed: Any) -> Settings:
    values = {"window": WINDOW, "rows": ROWS, "batch_size": BATCH, "passes": 2, "cpu": True}
    return Settings(**(values | {"temperature": 0.6, "lora_rank": 4, "top_k": 20} | changed))


def lesson() -> Lesson:
    """Human rows of even tokens, and synthetic ones of odd tokens, so that they can be told."""
    drawn = np.random.default_rng(3).integers(1, VOCAB // 2, size=(2, ROWS, WINDOW)) * 2
    return Lesson(drawn[0], drawn[0], [drawn[1] - 1], tiny_reference(), seed=5)


def adapted() -> Any:
    config = LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False)
    torch.manual_seed(0)
    return get_peft_model(tiny_llama(), config)


def rows_of_first_step(mix: MixGuard, prompt: int, *, matched: bool) -> list[dict[str, list[int]]]:
    """What a batch should hold, made from its token ids alone."""
    rows = []
    for slot in range(BATCH):
        ids = np.asarray(mix[slot]["input_ids"])
        labels = mark_labels(ids, ids % 2) if matched else ids.copy()
        labels[:prompt] = -100
        rows.append({"input_ids": ids.tolist(), "labels": labels.tolist()})
    return rows


@pytest.mark.parametrize("prompt", [0, 7])
@pytest.mark.parametrize("regime", ["mixguard", "guarded"])
@pytest.mark.parametrize("name", TRAINERS)
def test_a_step_is_that_of_the_loss_on_what_follows_the_prompt(
    tmp_path: Path, processes: Processes, name: str, regime: str, prompt: int
) -> None:
    chosen = settings(prompt=prompt, device_batch_size=4)
    mix = mix_rows(REGIMES[regime].recipe(lesson(), chosen), chosen, seed=5)
    arguments = training_arguments(chosen, processes, tmp_path, seed=5)
    arguments |= {"logging_strategy": "steps", "max_grad_norm": 0.0}
    trainer = make_trainer(name, adapted(), mix, arguments, tiny_tokenizer())
    matched = regime == "guarded"
    if matched:
        match_sampler(trainer, mix)
    found = first_step(trainer)
    rows = rows_of_first_step(mix, prompt, matched=matched)
    kinds = {row["input_ids"][0] % 2 for row in rows}
    assert kinds == {0, 1}, "both kinds of rows are in the batch"
    assert_same_step(found, expected_step(adapted(), rows, [chosen.decoding]))


@pytest.mark.parametrize("prompt", [0, 7])
@pytest.mark.parametrize("regime", ["mixguard", "guarded"])
def test_both_come_to_the_same_model(processes: Processes, regime: str, prompt: int) -> None:
    """The same weights, and the same looks on the way, up to rounding."""
    states, looks = [], []
    for name in TRAINERS:
        chosen = settings(prompt=prompt, trainer=name)
        monitor = CollapseMonitor(tiny_panel(), pace=EveryNSteps(2), sampling=BRIEF)
        model, report = fine_tune(
            tiny_llama(),
            REGIMES[regime].recipe(lesson(), chosen),
            lesson(),
            REGIMES[regime],
            monitor,
            chosen,
            processes,
            tiny_tokenizer(),
        )
        assert report.slots == 2 * ROWS
        # Nothing of the trainer, or of the matched loss, stays behind.
        assert not {"forward", "_loss_function"} & model.__dict__.keys()
        states.append(model.state_dict())
        looks.append([look["perplexity"] for look in monitor.history])
    one, other = states
    start = tiny_llama().state_dict()
    assert one.keys() == other.keys() == start.keys()
    moved = [(one[key] - start[key]).abs().max() for key in start]
    assert max(moved) > 1e-3
    for key in start:
        torch.testing.assert_close(one[key], other[key], atol=2e-5, rtol=1e-4)
    assert len(looks[0]) == 3
    assert looks[0] == pytest.approx(looks[1], rel=1e-5)
