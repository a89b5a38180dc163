"""Runs on two processes: readings as on one, one decision, one set of alerts, and no hang."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel
from transformers import TrainerCallback

from collapse_guard import Alert, Budget, CollapseMonitor, EveryNSteps, Threshold
from collapse_guard.callbacks import CollapseGuard, CollapseGuardCallback, WatchSession
from collapse_guard.readings.reading import Reading
from tests.callbacks.huggingface.runs import make_trainer
from tests.callbacks.lightning.runs import LanguageModule, make_trainer as make_lightning, rows
from tests.forking import WORLD
from tests.paces import Scripted
from tests.processes import on_launched_processes, uneven_clock
from tests.tiny import BRIEF, tiny_gpt2, tiny_panel, zipf_documents

PANEL = tiny_panel(documents=4)
ROWS = torch.tensor(zipf_documents(48, length=16, seed=9))
STOP = 6
"""At the second look at everything after the start the second process wants to save and stop."""

CHECKPOINTS = (
    f"checkpoint-{STOP}/model.safetensors",
    f"checkpoints/collapse-alert-{STOP}.ckpt",
    f"session-{STOP}.pt",
)
"""Where the trainers write a checkpoint that an alert asked for."""


class Diary(CollapseMonitor):
    """Keeps every look, small ones too."""

    def __init__(self, *, windows: dict[int, int] | None = None, **arguments: Any) -> None:
        super().__init__(PANEL, batch_size=2, rules_wait=False, sampling=BRIEF, **arguments)
        self.looks: list[Reading] = []
        if windows is not None:
            self._run.schedule = Scripted(windows)

    def start(self, *args: Any, **kwargs: Any) -> Reading:
        return self._noted(super().start(*args, **kwargs))

    def observe(self, *args: Any, **kwargs: Any) -> Reading:
        return self._noted(super().observe(*args, **kwargs))

    def look(self, *args: Any, **kwargs: Any) -> Reading:
        return self._noted(super().look(*args, **kwargs))

    def _noted(self, reading: Reading) -> Reading:
        self.looks += [reading] if reading else []
        return reading


def scripted() -> Diary:
    """Looks at 1 window, which leaves one process without any, at 2, at all, and so on."""
    rule = Threshold("perplexity", above=0.0, patience=2, alpha=None)
    windows = {1: 1, 2: 2, 3: len(PANEL), 4: 5, STOP: len(PANEL)}
    return Diary(windows=windows, rules=[rule], pace=EveryNSteps(1))


def stop_on_second(alert: Alert) -> str | None:
    return "save_and_stop" if dist.get_rank() == 1 else None


class Told(logging.Handler):
    """The kinds of failure that were reported."""

    def __init__(self) -> None:
        super().__init__()
        self.kinds: list[str] = []
        logging.getLogger("collapse_guard").addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info is not None and record.exc_info[0] is not None:
            self.kinds.append(record.exc_info[0].__name__)


def broken_on_second(model: torch.nn.Module) -> torch.nn.Module:
    """A model that fails when the second process looks at it, but for the first look."""
    passes = []

    def break_down(module: Any, args: Any) -> None:
        if not module.training:
            passes.append(1)
            # The start takes two passes to see whether a look leaves a trace, one whether the model
            # is causal, and 6 of 2 windows, half of them here.
            if dist.get_rank() == 1 and len(passes) > 6:
                raise ValueError("broken on the second process")

    model.transformer.h[1].register_forward_pre_hook(break_down)
    return model


def seen(monitor: Diary, told: list[Alert], step: int, model: torch.nn.Module) -> dict[str, Any]:
    return {
        "looks": [[reading.step, dict(reading)] for reading in monitor.looks],
        "alerts": [alert.step for alert in monitor.alerts],
        "sunk": [alert.step for alert in told],
        "step": step,
        "weights": {name: value.tolist() for name, value in model.state_dict().items()},
    }


Then = Callable[[torch.nn.Module, int], None]
"""What is done with a model at the start and after each step."""


class HFHelp(TrainerCallback):
    def __init__(self, then: Then) -> None:
        self.then = then

    def on_train_begin(self, args, state, control, **kwargs) -> None:
        self.on_step_end(args, state, control, **kwargs)

    def on_step_end(self, args, state, control, model=None, **kwargs) -> None:
        self.then(model, state.global_step)


class LightningHelp(pl.Callback):
    def __init__(self, then: Then) -> None:
        self.then = then

    def on_train_start(self, trainer, pl_module) -> None:
        self.then(pl_module.net, 0)

    def on_train_batch_end(self, trainer, pl_module, *args) -> None:
        self.then(pl_module.net, trainer.global_step)


def with_hf(monitor: Diary, folder: Path, then: Then, **arguments: Any) -> Any:
    told: list[Alert] = []
    trainer = make_trainer(
        folder,
        model=broken_on_second(tiny_gpt2(dropout=0.1)) if arguments.pop("broken", False) else None,
        callbacks=[HFHelp(then)],
        max_steps=20,
        ddp_backend="gloo",
    )
    CollapseGuardCallback(monitor, sink=told.append, **arguments).attach(trainer)
    trainer.train()
    return seen(monitor, told, trainer.state.global_step, trainer.model)


def with_lightning(monitor: Diary, folder: Path, then: Then, **arguments: Any) -> Any:
    told: list[Alert] = []
    torch.manual_seed(3)
    net = tiny_gpt2(dropout=0.1)
    module = LanguageModule(broken_on_second(net) if arguments.pop("broken", False) else net)
    guard = CollapseGuard(monitor, sink=told.append, **arguments)
    trainer = make_lightning(
        folder,
        LightningHelp(then),
        guard,
        devices=2,
        strategy="ddp",
        max_epochs=None,
        max_steps=20,
    )
    trainer.fit(module, rows())
    return seen(monitor, told, trainer.global_step, module.net)


def with_session(monitor: Diary, folder: Path, then: Then, **arguments: Any) -> Any:
    if not dist.is_initialized():
        dist.init_process_group("gloo")
    told: list[Alert] = []
    torch.manual_seed(3)
    net = tiny_gpt2(dropout=0.1)
    net = broken_on_second(net) if arguments.pop("broken", False) else net
    model = DistributedDataParallel(net)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)

    def save(step: int) -> None:
        if dist.get_rank() == 0:
            torch.save(net.state_dict(), folder / f"session-{step}.pt")

    session = WatchSession(monitor, sink=told.append, save=save, **arguments)
    session.start(model)
    then(net, 0)
    for step in range(1, 21):
        mine = ROWS[step * WORLD + dist.get_rank()][None]
        optimizer.zero_grad()
        model(input_ids=mine, labels=mine).loss.backward()
        optimizer.step()
        then(net, step)
        if session.step(model, step):
            break
    session.end(model, step)
    return seen(monitor, told, step, net)


TRAINERS: dict[str, Callable[..., dict[str, Any]]] = {
    "hf": with_hf,
    "lightning": with_lightning,
    "session": with_session,
}


def work(name: str, folder: Path) -> dict[str, Any]:
    def nothing(model: torch.nn.Module, step: int) -> None:
        pass

    def save(model: torch.nn.Module, step: int) -> None:
        if dist.get_rank() == 0:
            torch.save(model.state_dict(), folder / f"{step}.pt")

    def train(monitor: Diary, then: Then = nothing, **arguments: Any) -> dict[str, Any]:
        return TRAINERS[name](monitor, folder, then, **arguments)

    def in_time(monitor: Diary) -> dict[str, Any]:
        with uneven_clock(monitor) as clock:
            return train(monitor, lambda model, step: clock.train(), on_error="raise")

    looking = {"rules": [], "pace": EveryNSteps(1)}
    failures = Told()
    return {
        "agreed": train(scripted(), save, on_alert=stop_on_second, on_error="raise"),
        "failed": train(Diary(**looking), broken=True) | {"kinds": failures.kinds},
        "healthy": train(Diary(**looking), on_error="raise"),
        "budget": in_time(Diary(rules=[], pace=Budget(0.5))),
    }


@pytest.fixture(scope="module", params=list(TRAINERS))
def run(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any], dict[str, Any]]:
    folder = tmp_path_factory.mktemp(request.param)
    first, second = on_launched_processes(work, folder, request.param, folder)
    return folder, first, second


Run = tuple[Path, dict[str, Any], dict[str, Any]]


@pytest.mark.slow
def test_readings_are_those_of_one_process(run: Run) -> None:
    folder, first, second = (run[0], *(each["agreed"] for each in run[1:]))
    assert first["looks"] == second["looks"]
    alone, model = scripted(), tiny_gpt2()
    for step in range(STOP + 1):
        model.load_state_dict(torch.load(folder / f"{step}.pt"))
        (alone.observe if step else alone.start)(model, step)
    assert [step for step, _ in first["looks"]] == [0, 1, 2, 3, 4, STOP]
    for (step, together), apart in zip(first["looks"], alone.looks, strict=True):
        assert step == apart.step
        assert together == pytest.approx(dict(apart), rel=1e-6, abs=1e-6)
    assert alone.looks[-1]["tail_retention"] != pytest.approx(1.0, abs=1e-3)


@pytest.mark.slow
def test_there_is_one_decision_and_one_set_of_alerts(run: Run) -> None:
    first, second = (each["agreed"] for each in run[1:])
    # The second process alone wanted to save and stop.
    assert sum((run[0] / path).exists() for path in CHECKPOINTS) == 1
    assert first["step"] == second["step"] == STOP
    assert first["alerts"] == second["alerts"] == [STOP]
    # Alerts go out from the main process only.
    assert (first["sunk"], second["sunk"]) == ([STOP], [])


@pytest.mark.slow
def test_a_look_that_fails_on_one_process_holds_up_nobody_and_harms_nothing(run: Run) -> None:
    _, first, second = run
    assert first["failed"]["kinds"] == ["PeerError"]
    assert second["failed"]["kinds"] == ["ValueError"]
    for result in (first, second):
        assert [step for step, _ in result["failed"]["looks"]] == [0]
        assert len(result["healthy"]["looks"]) > 20
        assert result["failed"]["step"] == result["healthy"]["step"] == 20
        assert result["failed"]["weights"] == result["healthy"]["weights"]
    assert first["failed"]["weights"] == second["failed"]["weights"]


@pytest.mark.slow
def test_processes_look_at_the_same_steps_although_their_clocks_differ(run: Run) -> None:
    looks = [[step for step, _ in each["budget"]["looks"]] for each in run[1:]]
    assert looks[0] == looks[1]
    # The start, and more looks than one, and fewer than there are steps.
    assert 3 < len(looks[0]) < 20
