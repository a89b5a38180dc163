"""A run that is watched is the run that it would have been, whatever watches it and goes wrong."""

import logging
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.modules.module import register_module_forward_hook
from torch.utils.data import DataLoader
from transformers.models.gpt2.modeling_gpt2 import GPT2Block

from collapse_guard import CollapseMonitor
from collapse_guard.callbacks import CollapseGuard
from collapse_guard.errors import ScoringError
from tests.callbacks.lightning.runs import QUIET, LanguageModule, make_trainer
from tests.callbacks.watched_runs import (
    EPOCHS,
    Loop,
    Run,
    Saboteur,
    Setting,
    in_hf,
    in_loop,
    in_session,
    rows_of,
    traced,
)
from tests.callbacks.witness import differences

pytestmark = [*QUIET, pytest.mark.filterwarnings("ignore:Found 1 module.s. in eval mode")]


class Module(LanguageModule):
    """A module that takes the rows as they are."""

    def training_step(self, batch: dict[str, torch.Tensor], batch_idx: int) -> torch.Tensor:
        return self.net(**batch).loss

    def validation_step(self, batch: dict[str, torch.Tensor], batch_idx: int) -> None:
        self.net(**batch)


def in_lightning(run: Run) -> torch.optim.Optimizer:
    """Lightning's Trainer."""
    setting, callbacks = run.setting, []
    if run.monitor is not None:
        callbacks.append(CollapseGuard(run.monitor, on_error=run.on_error))
    trainer = make_trainer(
        run.folder,
        *callbacks,
        max_epochs=EPOCHS,
        accumulate_grad_batches=setting.accumulation,
        limit_val_batches=None if setting.evaluated else 0,
        num_sanity_val_steps=0,
    )
    rows = rows_of(setting.world.documents(10, setting.world.rows))
    validation = DataLoader(rows, setting.world.batch)
    trainer.fit(Module(run.model), setting.loader(run.rows), validation)
    assert trainer.global_step == setting.steps
    return trainer.optimizers[0]


LOOPS: tuple[Loop, ...] = (in_loop, in_session, in_hf, in_lightning)


def untouched(loop: Loop, setting: Setting, folder: Path) -> dict[str, Any]:
    """The same run, unwatched."""
    # How it would be watched makes no difference.
    return _untouched(loop, replace(setting, budget=False, sampled=True), folder)


@cache
def _untouched(loop: Loop, setting: Setting, folder: Path) -> dict[str, Any]:
    return traced(loop, setting, folder, None)[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.mark.parametrize(
    "setting",
    [
        Setting(),
        Setting(budget=True),
        Setting(adapters=True),
        Setting(accumulation=2),
        Setting(mixed=True),
    ],
    ids=["every_step", "budget", "adapters", "accumulation", "mixed"],
)
@pytest.mark.parametrize("loop", LOOPS)
def test_a_watched_run_is_bit_identical(loop: Loop, setting: Setting, folder: Path) -> None:
    trace, monitor = traced(loop, setting, folder, CollapseMonitor)
    assert differences(trace, untouched(loop, setting, folder)) == []
    # It has looked, and read everything.
    last = monitor.history[-1]
    assert set(last) == set(monitor.reading_names)
    assert last["tail_retention"] != 1.0
    assert np.isfinite(last["tail_retention_vs_control"])
    if not setting.budget:
        assert len(monitor.history) > setting.steps
    if setting.mixed:
        assert np.isfinite(last["tail_retention_prequential"])


class LeavesEvaluationMode(Saboteur):
    def do(self, model: torch.nn.Module) -> None:
        model.eval()


class WakesFrozenPart(Saboteur):
    def do(self, model: torch.nn.Module) -> None:
        model.train()


class DrawsFromTorch(Saboteur):
    def do(self, model: torch.nn.Module) -> None:
        torch.rand(1)


class DrawsFromNumpy(Saboteur):
    def do(self, model: torch.nn.Module) -> None:
        np.random.rand()


class DrawsFromPython(Saboteur):
    def do(self, model: torch.nn.Module) -> None:
        random.random()


class TrainsFrozenPart(Saboteur):
    def do(self, model: torch.nn.Module) -> None:
        for parameter in model.parameters():
            parameter.requires_grad = True


class MovesOneWeight(Saboteur):
    def do(self, model: torch.nn.Module) -> None:
        with torch.no_grad():
            weight = next(model.parameters()).view(-1)
            weight[0] = torch.nextafter(weight[0], torch.tensor(torch.inf))


class LeavesGradient(Saboteur):
    def do(self, model: torch.nn.Module) -> None:
        for parameter in model.parameters():
            parameter.grad = torch.ones_like(parameter)


class LeavesHook(Saboteur):
    def do(self, model: torch.nn.Module) -> None:
        next(model.children()).register_forward_hook(lambda *arguments: None)


@pytest.mark.parametrize(
    ("kind", "seen"),
    [
        (LeavesEvaluationMode, "modes"),
        (WakesFrozenPart, "modes"),
        (DrawsFromTorch, "random states"),
        (DrawsFromNumpy, "random states"),
        (DrawsFromPython, "random states"),
        (TrainsFrozenPart, "requires_grad"),
        (MovesOneWeight, "weights"),
        (LeavesGradient, "gradients"),
        (LeavesHook, "hooks"),
    ],
)
@pytest.mark.parametrize("loop", [in_loop, in_session])
def test_the_test_sees_what_a_monitor_may_not_do(
    loop: Loop, kind: type[Saboteur], seen: str, folder: Path
) -> None:
    setting = Setting(sampled=False)
    trace, _ = traced(loop, setting, folder, kind)
    assert seen in differences(trace, untouched(loop, setting, folder))


@pytest.mark.parametrize("loop", [in_hf, in_lightning])
def test_the_test_sees_it_in_trainers_too(loop: Loop, folder: Path) -> None:
    setting = Setting(sampled=False)
    trace, _ = traced(loop, setting, folder, DrawsFromTorch)
    changed = differences(trace, untouched(loop, setting, folder))
    # Dropout draws from that state.
    assert {"random states", "weights"} <= set(changed)


@contextmanager
def failing(failure: Exception | str, *, from_pass: int) -> Iterator[None]:
    """Make GPT-2 fail half-way through the passes of looks, from one pass on."""
    passes = []

    def break_down(module: torch.nn.Module, args: Any, output: Any) -> Any:
        # Nothing else here goes without gradients.
        if not isinstance(module, GPT2Block) or torch.is_grad_enabled():
            return output
        passes.append(1)
        if len(passes) <= from_pass:
            return output
        if isinstance(failure, Exception):
            raise failure
        return torch.full_like(output, torch.nan)

    hook = register_module_forward_hook(break_down)
    try:
        yield
    finally:
        hook.remove()


FAILURES: Sequence[tuple[Exception | str, type[Exception]]] = (
    (ValueError("broken"), ValueError),
    (torch.OutOfMemoryError("out of memory"), torch.OutOfMemoryError),
    ("nan", ScoringError),
)


@pytest.mark.parametrize("from_pass", [0, 100], ids=["at_start", "later"])
@pytest.mark.parametrize(("failure", "error"), FAILURES, ids=["exception", "oom", "nan"])
@pytest.mark.parametrize("loop", LOOPS)
def test_a_failure_is_reported_once_and_harms_nothing(
    loop: Loop,
    failure: Exception | str,
    error: type[Exception],
    from_pass: int,
    folder: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    setting = Setting(evaluated=False)
    with (
        caplog.at_level(logging.ERROR, "collapse_guard"),
        failing(failure, from_pass=from_pass),
    ):
        trace, monitor = traced(loop, setting, folder, CollapseMonitor, on_error="report")
    told = [record.exc_info[0] for record in caplog.records if record.exc_info]
    assert told == [error]
    assert monitor.started == bool(from_pass)
    assert differences(trace, untouched(loop, setting, folder)) == []


@pytest.mark.parametrize(("failure", "error"), FAILURES, ids=["exception", "oom", "nan"])
@pytest.mark.parametrize("loop", LOOPS)
def test_a_failure_is_raised_where_that_is_wanted(
    loop: Loop, failure: Exception | str, error: type[Exception], folder: Path
) -> None:
    with pytest.raises(error), failing(failure, from_pass=100):
        traced(loop, Setting(evaluated=False), folder, CollapseMonitor)
