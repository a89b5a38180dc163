"""A run that is watched is the run that it would have been, whatever watches it and goes wrong."""

import logging
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch.nn.modules.module import register_module_forward_hook
from torch.utils.data import DataLoader
from transformers.models.gpt2.modeling_gpt2 import GPT2Block

from collapse_guard import Budget, CollapseMonitor, EveryNSteps, MixGuard, Sampling, Threshold
from collapse_guard.callbacks import (
    CollapseGuard,
    CollapseGuardCallback,
    MixLedgerCallback,
    WatchSession,
)
from collapse_guard.errors import ScoringError
from collapse_guard.failures import FailureGuard
from collapse_guard.readings.prequential import PrequentialReader
from collapse_guard.readings.reading import Reading
from tests.callbacks.huggingface.runs import Rows, make_trainer as make_hf
from tests.callbacks.lightning.runs import (
    QUIET,
    LanguageModule,
    make_trainer as make_lightning,
)
from tests.callbacks.witness import Witness, differences
from tests.tiny import tiny_gpt2, tiny_panel, tiny_reference, zipf_documents

pytestmark = [*QUIET, pytest.mark.filterwarnings("ignore:Found 1 module.s. in eval mode")]

BATCH, EPOCHS, STEPS = 4, 2, 16
SAMPLING = Sampling(num_free=4, num_prompts=2, samples_per_prompt=2, prompt_length=8, length=8)


@dataclass(frozen=True)
class Setting:
    """What kind of run is watched; shuffled rows and dropout in any case.

    Attributes:
        adapters: The model has adapters, of which the user froze a part, and is compared with the
            model without them.
        accumulation: Training passes per step.
        mixed: The rows come from a `MixGuard`, which is read along; the Trainer keeps its ledger.
        budget: The monitor times the run, in place of looking at everything after each step.
        evaluated: The trainer evaluates or validates in between, which a monitor looks at too.
        sampled: The model writes at each look at everything.
    """

    adapters: bool = False
    accumulation: int = 1
    mixed: bool = False
    budget: bool = False
    evaluated: bool = True
    sampled: bool = True

    def model(self) -> torch.nn.Module:
        model = tiny_gpt2(dropout=0.1)
        if self.adapters:
            torch.manual_seed(0)
            config = LoraConfig(
                r=2, lora_dropout=0.1, target_modules=["c_attn"], fan_in_fan_out=True
            )
            model = get_peft_model(model, config)
        named = dict(model.named_parameters())
        part = "lora_A" if self.adapters else "wpe"
        next(named[name] for name in named if part in name).requires_grad = False
        # A part that the user froze in evaluation mode must stay so.
        next(each for each in model.modules() if isinstance(each, torch.nn.LayerNorm)).eval()
        return model

    def rows(self) -> Any:
        if not self.mixed:
            return Rows()
        sources = (
            [
                {"input_ids": ids, "labels": ids}
                for ids in map(torch.tensor, zipf_documents(32, length=16, seed=seed))
            ]
            for seed in (5, 6)
        )
        return MixGuard(*sources, human_fraction=0.5, block_size=BATCH, length=32)

    def loader(self, rows: Any) -> DataLoader:
        return DataLoader(rows, BATCH, shuffle=not self.mixed)

    def monitor(self, kind: type[CollapseMonitor], rows: Any) -> CollapseMonitor:
        pace = {"pace": Budget(0.5)} if self.budget else {"pace": EveryNSteps(1)}
        reader = PrequentialReader(rows, tiny_reference(), start_rows=2) if self.mixed else None
        return kind(
            tiny_panel(documents=4),
            rules=[Threshold("perplexity", above=0.0, alpha=None)],
            sampling=SAMPLING if self.sampled else None,
            against_base=self.adapters,
            prequential=reader,
            **pace,
        )


@dataclass
class Run:
    """A run that is about to begin."""

    setting: Setting
    folder: Path
    model: torch.nn.Module
    rows: Any
    monitor: CollapseMonitor | None
    on_error: Any


def in_loop(run: Run) -> torch.optim.Optimizer:
    """A loop of one's own."""
    failures, monitor, model = FailureGuard(run.on_error), run.monitor, run.model
    looking = "looking at the model"
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    if monitor is not None:
        with failures.contained(looking):
            monitor.start(model)
    loader, passes = run.setting.loader(run.rows), 0
    for _ in range(EPOCHS):
        for batch in loader:
            model(**batch).loss.backward()
            passes += 1
            if passes % run.setting.accumulation:
                continue
            # A look before the step sees gradients, which must stay as they are.
            if monitor is not None and monitor.started:
                with failures.contained(looking):
                    monitor.look(model, passes)
            optimizer.step()
            optimizer.zero_grad()
            if monitor is not None and monitor.started:
                with failures.contained(looking):
                    monitor.observe(model, passes)
    return optimizer


def in_session(run: Run) -> torch.optim.Optimizer:
    """A loop of one's own that a session watches, with all that it can do."""
    model, setting = run.model, run.setting
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    session = None
    if run.monitor is not None:
        session = WatchSession(
            run.monitor,
            on_alert="save",
            on_error=run.on_error,
            log=lambda record, step: None,
            save=lambda step: torch.save(session.state_dict(), run.folder / f"{step}.pt"),
            log_every_n_steps=3,
        )
        session.start(model)
        session.read_along(lambda reader: reader.watch(model, batch_size=BATCH))
    loader, passes, step = setting.loader(run.rows), 0, 0
    for _ in range(EPOCHS):
        for batch in loader:
            model(**batch).loss.backward()
            passes += 1
            if passes % setting.accumulation:
                continue
            step += 1
            optimizer.step()
            optimizer.zero_grad()
            if session is not None:
                session.step(model, step)
                if setting.evaluated and step % 4 == 0:
                    session.look(model, step)
    if session is not None:
        session.end(model, step)
    return optimizer


def in_hf(run: Run) -> torch.optim.Optimizer:
    """The Hugging Face Trainer."""
    setting = run.setting
    evaluation = {"eval_strategy": "steps", "eval_steps": 4} if setting.evaluated else {}
    trainer = make_hf(
        run.folder,
        model=run.model,
        num_train_epochs=EPOCHS,
        gradient_accumulation_steps=setting.accumulation,
        train_sampling_strategy="sequential" if setting.mixed else "random",
        **evaluation,
    )
    trainer.train_dataset = run.rows
    if run.monitor is not None:
        if setting.mixed:
            trainer.add_callback(MixLedgerCallback(run.rows, every_n_steps=2, on_error="raise"))
        CollapseGuardCallback(run.monitor, on_error=run.on_error).attach(trainer)
    trainer.train()
    assert trainer.state.global_step == STEPS // setting.accumulation
    return trainer.optimizer


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
    trainer = make_lightning(
        run.folder,
        *callbacks,
        max_epochs=EPOCHS,
        accumulate_grad_batches=setting.accumulation,
        limit_val_batches=None if setting.evaluated else 0,
        num_sanity_val_steps=0,
    )
    validation = DataLoader(Rows(seed=10), BATCH)
    trainer.fit(Module(run.model), setting.loader(run.rows), validation)
    assert trainer.global_step == STEPS // setting.accumulation
    return trainer.optimizers[0]


Loop = Callable[[Run], torch.optim.Optimizer]
LOOPS: tuple[Loop, ...] = (in_loop, in_session, in_hf, in_lightning)


def traced(
    loop: Loop,
    setting: Setting,
    folder: Path,
    kind: type[CollapseMonitor] | None,
    *,
    on_error: str = "raise",
) -> tuple[dict[str, Any], CollapseMonitor | None]:
    """What a run leaves behind, and what watched it."""
    pl.seed_everything(3, verbose=False)
    model, rows = setting.model(), setting.rows()
    witness = Witness(model)
    monitor = None if kind is None else setting.monitor(kind, rows)
    end: Callable[[], None] = lambda: None  # noqa: E731
    # A session, and the callbacks, let the reader in by themselves.
    if monitor is not None and monitor.prequential is not None and loop is in_loop:
        end = monitor.prequential.watch(model, batch_size=BATCH)
    optimizer = loop(Run(setting, folder, model, rows, monitor, on_error))
    end()
    return witness.trace(optimizer), monitor


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
    if not setting.budget:
        assert len(monitor.history) > STEPS // setting.accumulation
    if setting.mixed:
        assert np.isfinite(last["tail_retention_prequential"])


class Saboteur(CollapseMonitor):
    """Breaks its word once, early enough for that to be seen from within the run."""

    done = False

    def do(self, model: torch.nn.Module) -> None:
        raise NotImplementedError

    def observe(self, model: torch.nn.Module, step: int, **arguments: Any) -> Reading:
        if len(self.history) > 3 and not self.done:
            self.done = True
            self.do(model)
        return super().observe(model, step, **arguments)


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
