"""Runs that are trained twice, watched and unwatched, and all that a monitor may not change."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

import torch
from peft import LoraConfig, get_peft_model
from torch.utils.data import DataLoader
from transformers import set_seed

from collapse_guard import (
    Budget,
    CollapseMonitor,
    EveryNSteps,
    HeldOutPanel,
    HumanReference,
    MixGuard,
    Sampling,
    Threshold,
)
from collapse_guard.callbacks import CollapseGuardCallback, MixLedgerCallback, WatchSession
from collapse_guard.failures import FailureGuard
from collapse_guard.monitor.track import Track
from collapse_guard.readings.prequential import PrequentialReader
from collapse_guard.readings.reading import Reading
from tests.callbacks.huggingface.runs import make_trainer
from tests.callbacks.witness import Witness, digest
from tests.tiny import tiny_gpt2, tiny_panel, tiny_reference, zipf_documents

EPOCHS = 2
SAMPLING = Sampling(num_free=4, num_prompts=2, samples_per_prompt=2, prompt_length=8, length=8)


class World(Protocol):
    """What is trained, on what, and where.

    Attributes:
        device: Where the model is.
        batch: Rows of a pass.
        rows: Rows of an epoch.
        learning_rate: Of the training.
        frozen: Name of a weight that the user has frozen.
        every: Steps between two looks at the whole panel.
        arguments: What a Hugging Face Trainer has to be told besides.
    """

    device: str
    batch: int
    rows: int
    learning_rate: float
    frozen: str
    every: int
    arguments: Mapping[str, Any]

    def model(self) -> torch.nn.Module:
        """One with dropout, the same at each call."""

    def documents(self, seed: int, count: int) -> list[torch.Tensor]:
        """Rows to train on."""

    def reference(self) -> HumanReference:
        """Of such rows."""

    def panel(self) -> HeldOutPanel:
        """Of such rows."""

    def precision(self) -> AbstractContextManager[object]:
        """What a loop of one's own runs passes and looks in."""


class Tiny:
    """A GPT-2 of two layers on the CPU."""

    device, batch, rows, learning_rate, every = "cpu", 4, 32, 1e-2, 1
    frozen = "wpe"
    arguments: Mapping[str, Any] = MappingProxyType({"use_cpu": True})

    def model(self) -> torch.nn.Module:
        return tiny_gpt2(dropout=0.1)

    def documents(self, seed: int, count: int) -> list[torch.Tensor]:
        return [torch.tensor(ids) for ids in zipf_documents(count, length=16, seed=seed)]

    def reference(self) -> HumanReference:
        return tiny_reference()

    def panel(self) -> HeldOutPanel:
        return tiny_panel(documents=4)

    def precision(self) -> AbstractContextManager[object]:
        return nullcontext()


TINY = Tiny()


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
        compiler: Backend of `torch.compile`, for training passes; None to leave them as they are.
        world: What is trained, on what, and where.
    """

    adapters: bool = False
    accumulation: int = 1
    mixed: bool = False
    budget: bool = False
    evaluated: bool = True
    sampled: bool = True
    compiler: str | None = None
    world: World = TINY

    @property
    def steps(self) -> int:
        """Optimizer steps of a run."""
        return EPOCHS * self.world.rows // self.world.batch // self.accumulation

    def model(self) -> torch.nn.Module:
        model = self.world.model()
        if self.adapters:
            torch.manual_seed(0)
            config = LoraConfig(
                r=2, lora_dropout=0.1, target_modules=["c_attn"], fan_in_fan_out=True
            )
            model = get_peft_model(model, config)
        part = "lora_A" if self.adapters else self.world.frozen
        next(each for name, each in model.named_parameters() if part in name).requires_grad = False
        # A part that the user froze in evaluation mode must stay so.
        next(each for each in model.modules() if "Norm" in type(each).__name__).eval()
        return model

    def dataset(self) -> Any:
        world = self.world
        if not self.mixed:
            return rows_of(world.documents(9, world.rows))
        sources = (rows_of(world.documents(seed, world.rows)) for seed in (5, 6))
        return MixGuard(*sources, human_fraction=0.5, block_size=world.batch, length=world.rows)

    def loader(self, rows: Any) -> DataLoader:
        return DataLoader(rows, self.world.batch, shuffle=not self.mixed)

    def monitor(self, kind: type[CollapseMonitor], rows: Any) -> CollapseMonitor:
        reader = None
        if self.mixed:
            reader = PrequentialReader(rows, self.world.reference(), start_rows=2)
        panel = self.world.panel()
        return kind(
            panel,
            control=even_track(panel),
            rules=[Threshold("perplexity", above=0.0, alpha=None)],
            sampling=SAMPLING if self.sampled else None,
            against_base=self.adapters,
            prequential=reader,
            pace=Budget(0.5) if self.budget else EveryNSteps(self.world.every),
        )

    def looks_are_due(self, step: int) -> bool:
        return step % self.world.every == 0


def even_track(panel: HeldOutPanel) -> Track:
    """The track of a control run that any run here can be compared with to its end."""
    track = Track(panel.fingerprint)
    for step in (0, 1000):
        track.add(step, *(-3.0 * panel.position_counts[band] for band in ("tail", "head")))
    return track


def rows_of(documents: list[torch.Tensor]) -> list[dict[str, torch.Tensor]]:
    """Documents as a causal language model is trained on them."""
    return [{"input_ids": ids, "labels": ids} for ids in documents]


@dataclass
class Run:
    """A run that is about to begin.

    Attributes:
        losses: Of its passes, or of its steps; filled as it goes.
    """

    setting: Setting
    folder: Path
    model: torch.nn.Module
    rows: Any
    monitor: CollapseMonitor | None
    on_error: Any
    losses: list[Any] = field(default_factory=list)


def in_loop(run: Run) -> torch.optim.Optimizer:
    """A loop of one's own."""
    failures, monitor, model = FailureGuard(run.on_error), run.monitor, run.model
    precision, looking = run.setting.world.precision, "looking at the model"
    optimizer = torch.optim.AdamW(model.parameters(), lr=run.setting.world.learning_rate)
    if monitor is not None:
        with failures.contained(looking), precision():
            monitor.start(model)
    forward, passes = _forward(run), 0
    for _ in range(EPOCHS):
        for batch in run.setting.loader(run.rows):
            forward(batch).backward()
            passes += 1
            if passes % run.setting.accumulation:
                continue
            # A look before the step sees gradients, which must stay as they are.
            if monitor is not None and monitor.started and run.setting.looks_are_due(passes):
                with failures.contained(looking), precision():
                    monitor.look(model, passes)
            optimizer.step()
            optimizer.zero_grad()
            if monitor is not None and monitor.started:
                with failures.contained(looking), precision():
                    monitor.observe(model, passes)
    return optimizer


def in_session(run: Run) -> torch.optim.Optimizer:
    """A loop of one's own that a session watches, with all that it can do."""
    model, setting, precision = run.model, run.setting, run.setting.world.precision
    optimizer = torch.optim.AdamW(model.parameters(), lr=setting.world.learning_rate)
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
        with precision():
            session.start(model)
        session.read_along(lambda reader: reader.watch(model, batch_size=setting.world.batch))
    forward, passes, step = _forward(run), 0, 0
    for _ in range(EPOCHS):
        for batch in setting.loader(run.rows):
            forward(batch).backward()
            passes += 1
            if passes % setting.accumulation:
                continue
            step += 1
            optimizer.step()
            optimizer.zero_grad()
            if session is not None:
                with precision():
                    session.step(model, step)
                    if setting.evaluated and step % 4 == 0:
                        session.look(model, step)
    if session is not None:
        with precision():
            session.end(model, step)
    return optimizer


def in_hf(run: Run) -> torch.optim.Optimizer:
    """The Hugging Face Trainer."""
    setting, world = run.setting, run.setting.world
    more: dict[str, Any] = {"eval_strategy": "steps", "eval_steps": 4} if setting.evaluated else {}
    if setting.compiler is not None:
        more |= {"torch_compile": True, "torch_compile_backend": setting.compiler}
    trainer = make_trainer(
        run.folder,
        model=run.model,
        num_train_epochs=EPOCHS,
        per_device_train_batch_size=world.batch,
        gradient_accumulation_steps=setting.accumulation,
        learning_rate=world.learning_rate,
        logging_steps=1,
        train_sampling_strategy="sequential" if setting.mixed else "random",
        **world.arguments,
        **more,
    )
    trainer.train_dataset = run.rows
    trainer.eval_dataset = rows_of(world.documents(10, world.rows))
    if run.monitor is not None:
        if setting.mixed:
            trainer.add_callback(MixLedgerCallback(run.rows, every_n_steps=2, on_error="raise"))
        CollapseGuardCallback(run.monitor, on_error=run.on_error).attach(trainer)
    trainer.train()
    assert trainer.state.global_step == setting.steps
    run.losses += [record["loss"] for record in trainer.state.log_history if "loss" in record]
    return trainer.optimizer


Loop = Callable[[Run], torch.optim.Optimizer]


def traced(
    loop: Loop,
    setting: Setting,
    folder: Path,
    kind: type[CollapseMonitor] | None,
    *,
    on_error: str = "raise",
) -> tuple[dict[str, Any], CollapseMonitor | None]:
    """What a run leaves behind, and what watched it."""
    set_seed(3)
    model, rows = setting.model(), setting.dataset()
    # A compiler would take what a witness does at each pass into what it compiles.
    seen = Witness(model, at_passes=setting.compiler is None)
    monitor = None if kind is None else setting.monitor(kind, rows)
    end: Callable[[], None] = lambda: None  # noqa: E731
    # A session, and the callbacks, let the reader in by themselves.
    if monitor is not None and monitor.prequential is not None and loop is in_loop:
        end = monitor.prequential.watch(model, batch_size=setting.world.batch)
    run = Run(setting, folder, model, rows, monitor, on_error)
    optimizer = loop(run)
    end()
    return seen.trace(optimizer) | {"losses": digest(run.losses)}, monitor


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


def _forward(run: Run) -> Callable[[dict[str, torch.Tensor]], torch.Tensor]:
    """Gives the loss of a batch, and notes it down."""
    world, model = run.setting.world, run.model
    called: Any = model
    if run.setting.compiler is not None:
        called = torch.compile(model, backend=run.setting.compiler)

    def forward(called: Any, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        with world.precision():
            there = {name: values.to(world.device) for name, values in batch.items()}
            loss: torch.Tensor = called(**there).loss
        run.losses.append(loss.detach())
        return loss

    return partial(forward, called)
