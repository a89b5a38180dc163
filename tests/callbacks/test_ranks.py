"""What happens on one process alone holds up no other, changes no training, and is told on both."""

import hashlib
import json
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from collapse_guard import Alert, CollapseMonitor, EveryNSteps, UnwatchableError
from collapse_guard.callbacks import CollapseGuard, CollapseGuardCallback, WatchSession
from tests.callbacks.huggingface.runs import make_trainer
from tests.callbacks.lightning.runs import (
    LanguageModule,
    held_out,
    make_trainer as make_lightning,
    rows,
)
from tests.callbacks.loops import ALWAYS_BROKEN, ROWS
from tests.forking import WORLD, start
from tests.processes import free_port, take_place
from tests.tiny import BRIEF, tiny_gpt2, tiny_panel

STEPS = 6
PATIENCE = 400
"""Seconds after which the processes hang for certain."""

IN_TIME, SHORT = 60.0, 2.0


def rank() -> int:
    return int(os.environ["RANK"])


class Faulty(CollapseMonitor):
    """Looks after every second step, and does something else at some steps on the second process.

    Args:
        fault: What to do there; raises, as a rule.
        steps: Where.
        late: Whether after all that the processes do together.
    """

    def __init__(
        self,
        fault: Callable[[], None] | None = None,
        *steps: int,
        late: bool = False,
        documents: int = 6,
    ) -> None:
        panel = tiny_panel(documents=documents)
        super().__init__(
            panel,
            rules=[ALWAYS_BROKEN],
            pace=EveryNSteps(2),
            rules_wait=False,
            sampling=BRIEF,
        )
        self.fault, self.steps, self.late = fault, steps, late

    def _look_at_all(self, model: torch.nn.Module, step: int) -> Any:
        if not self.late:
            self._do(step)
        seen = super()._look_at_all(model, step)
        if self.late:
            self._do(step)
        return seen

    def _do(self, step: int) -> None:
        if self.fault is not None and step in self.steps and rank() == 1:
            self.fault()


def broken(*arguments: Any) -> None:
    raise ValueError("broken")


def broken_on(number: int) -> Callable[..., None]:
    def fail(*arguments: Any) -> None:
        if rank() == number:
            raise ValueError("broken")

    return fail


def unwatchable() -> None:
    raise UnwatchableError("it keeps count")


def ask_in_vain(alert: Alert) -> str:
    if rank() == 1:
        raise ValueError("broken")
    return "stop"


def all_steps(monitor: CollapseMonitor) -> CollapseMonitor:
    monitor.steps = tuple(range(STEPS + 1))  # type: ignore[attr-defined]
    return monitor


Case = tuple[Callable[[], CollapseMonitor | None], dict[str, Any]]

CASES: dict[str, Case] = {
    "healthy": (Faulty, {}),
    "look": (lambda: Faulty(broken, 2), {}),
    "late_look": (lambda: Faulty(broken, 2, late=True), {}),
    "start": (lambda: Faulty(broken, 0), {}),
    "never": (lambda: all_steps(Faulty(unwatchable)), {}),
    "sink": (Faulty, {"sink": broken_on(0)}),
    "on_alert": (Faulty, {"on_alert": ask_in_vain}),
    "panels": (lambda: Faulty(documents=6 + rank()), {}),
    "one_only": (lambda: None if rank() else Faulty(), {"agree_within": SHORT}),
    "slow": (lambda: Faulty(lambda: time.sleep(1.0), 2), {}),
    "hangs": (lambda: Faulty(lambda: time.sleep(3 * SHORT), 2), {"agree_within": SHORT}),
    # Only where they can be given.
    "log": (Faulty, {"log": broken_on(1)}),
    "save": (Faulty, {"on_alert": "save"}),
    "resume": (Faulty, {}),
}


class Told(logging.Handler):
    """What is told at warning level or above, with the error that it is about."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        self.messages.append(f"{record.getMessage()} {type(error).__name__}: {error}")


def digest(model: torch.nn.Module) -> str:
    weights = b"".join(each.numpy().tobytes() for each in model.state_dict().values())
    return hashlib.sha256(weights).hexdigest()


def with_session(monitor: CollapseMonitor | None, folder: Path, **arguments: Any) -> Any:
    resumes = arguments.pop("resume", False)
    torch.manual_seed(3)
    net = tiny_gpt2(dropout=0.1)
    model = DistributedDataParallel(net)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    if arguments.get("on_alert") == "save":
        arguments["save"] = broken_on(1)
    session = None if monitor is None else WatchSession(monitor, **arguments)
    if session is not None:
        if resumes:
            # The second process finds another file than the first.
            before = WatchSession(Faulty())
            before.start(model)
            state = before.state_dict()
            session.load_state_dict({"monitor": {}} if rank() else state)
        session.start(model)
    step = 0
    for step in range(1, STEPS + 1):
        mine = ROWS[step * WORLD + rank()][None]
        optimizer.zero_grad()
        model(input_ids=mine, labels=mine).loss.backward()
        optimizer.step()
        if session is None:
            continue
        if session.step(model, step) or (step == 4 and session.look(model, step)):
            break
    if session is not None:
        session.end(model, step)
    return net, step, session


def with_hf(monitor: CollapseMonitor | None, folder: Path, **arguments: Any) -> Any:
    trainer = make_trainer(
        folder, max_steps=STEPS, ddp_backend="gloo", eval_strategy="steps", eval_steps=4
    )
    guard = None if monitor is None else CollapseGuardCallback(monitor, **arguments)
    if guard is not None:
        guard.attach(trainer)
    trainer.train()
    return trainer.model, trainer.state.global_step, guard and guard.session


def with_lightning(monitor: CollapseMonitor | None, folder: Path, **arguments: Any) -> Any:
    guard = None if monitor is None else CollapseGuard(monitor, **arguments)
    trainer = make_lightning(
        folder,
        *([] if guard is None else [guard]),
        devices=2,
        strategy="ddp",
        max_epochs=None,
        max_steps=STEPS,
    )
    if arguments.get("on_alert") == "save" and rank() == 0:
        # As a full disk does it: on the process that writes.
        trainer.strategy.save_checkpoint = broken
    torch.manual_seed(3)
    module = LanguageModule()
    trainer.fit(module, rows(), held_out())
    return module.net, trainer.global_step, guard and guard.session


WAYS: dict[str, tuple[Callable[..., Any], tuple[str, ...]]] = {
    "session": (with_session, tuple(CASES)),
    "hf": (with_hf, ("look", "start", "on_alert", "panels", "one_only", "hangs")),
    "lightning": (with_lightning, ("look", "start", "on_alert", "one_only", "save")),
}


def launched(number: int, work: Callable[[Path], Any], folder: str, port: int) -> None:
    take_place(number, port)
    dist.init_process_group("gloo")
    Path(folder, f"{number}.json").write_text(json.dumps(work(Path(folder))))
    # Not by `destroy_process_group`, which frameworks do at their own time.
    os._exit(0)


def run_on_processes(work: Callable[[Path], Any], folder: Path) -> dict[int, Any]:
    """What each process that came to its end returns, by number; fails where one hangs."""
    running = start(launched, work, str(folder), free_port()).processes
    end = time.monotonic() + PATIENCE
    for process in running:
        process.join(max(end - time.monotonic(), 0.0))
    hanging = [process for process in running if process.is_alive()]
    for process in hanging:
        process.kill()
    assert not hanging
    files = {number: folder / f"{number}.json" for number in range(WORLD)}
    return {number: json.loads(file.read_text()) for number, file in files.items() if file.exists()}


def all_cases(folder: Path) -> dict[str, Any]:
    return {way: cases_of(way, folder) for way in WAYS}


def cases_of(way: str, folder: Path) -> dict[str, Any]:
    train, names = WAYS[way]
    found: dict[str, Any] = {}
    for name in ("plain", *names):
        make, arguments = CASES.get(name, (lambda: None, {}))
        told = Told()
        logging.getLogger("collapse_guard").addHandler(told)
        if name == "resume":
            arguments = {**arguments, "resume": True}
        monitor = make()
        began = time.monotonic()
        model, step, session = train(monitor, folder / f"{way}-{name}-{rank()}", **arguments)
        logging.getLogger("collapse_guard").removeHandler(told)
        latest = {} if session is None else session.latest
        found[name] = {
            "seconds": time.monotonic() - began,
            "weights": digest(model),
            "step": step,
            "looks": [] if monitor is None else [look.step for look in monitor.history],
            "watched": [value for key, value in latest.items() if key.endswith("/watched")],
            "told": told.messages,
        }
    return found


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, Any]]:
    found = run_on_processes(all_cases, tmp_path_factory.mktemp("ranks"))
    return found[0], found[1]


ALL = [(way, case) for way, (_, cases) in WAYS.items() for case in cases]

LOOKS = {
    "look": [0, 4, 6],
    "start": [4, 6],
    "never": [],
    "panels": [],
    "one_only": [],
    "hangs": [0],
}
"""The steps that are looked at; those of a run without faults where left out."""

WHY = {
    "look": ("ValueError: broken", "process 1: ValueError: broken"),
    "late_look": ("ValueError: broken", "process 1: ValueError: broken"),
    "start": ("not watched (ValueError: broken)", "process 1: ValueError: broken"),
    "never": ("UnwatchableError: it keeps count", "process 1: UnwatchableError: it keeps count"),
    "on_alert": ("ValueError: broken", "process 1: ValueError: broken"),
    "panels": ("argument `panel` expected the same",) * 2,
    "one_only": (None, "process 1 died, or did not come within 2 s"),
    "hangs": ("nobody looks any more", "process 1 died, or did not come within 2 s"),
    "log": ("logging a reading failed", None),
    "resume": ("resuming the monitor failed", None),
}
"""What the second process tells, and what the first does."""


@pytest.mark.slow
@pytest.mark.parametrize(("way", "case"), ALL, ids=[f"{way}-{case}" for way, case in ALL])
def test_nothing_that_happens_on_one_process_holds_up_or_changes_another(
    way: str, case: str, runs: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    first, second = (each[way][case] for each in runs)
    plain = runs[0][way]["plain"]
    assert (
        first["weights"]
        == second["weights"]
        == plain["weights"]
        == runs[1][way]["plain"]["weights"]
    )
    assert first["step"] == second["step"] == STEPS
    for told, why in zip((second["told"], first["told"]), WHY.get(case, (None, None)), strict=True):
        if why is not None:
            # Once, and not again.
            assert sum(why in message for message in told) == 1, told
    if case == "one_only":
        assert (first["watched"], second["watched"]) == ([0.0], [])
    else:
        watched = [0.0 if case in ("never", "panels", "hangs") else 1.0]
        assert first["watched"] == second["watched"] == watched
    if case != "late_look":
        expected = LOOKS.get(case, [0, 2, 4, 6])
        # An evaluation looks too.
        assert first["looks"] == expected
        assert second["looks"] == ([] if case == "one_only" else expected)


@pytest.mark.slow
def test_a_run_without_faults_tells_nothing(
    runs: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    for each in runs:
        assert each["session"]["plain"]["told"] == []
        told = each["session"]["healthy"]["told"]
        assert all("perplexity" in message for message in told)
        assert each["session"]["slow"]["told"] == told


def training_that_dies(folder: Path) -> Any:
    """The second process dies in the look after step 2, and the training of the first with it."""
    told = Told()
    logging.getLogger("collapse_guard").addHandler(told)
    began = time.monotonic()
    try:
        with_session(Faulty(lambda: os._exit(3), 2), folder, agree_within=IN_TIME)
        ended = ""
    except RuntimeError as error:
        ended = str(error)
    return {"told": told.messages, "ended": ended, "seconds": time.monotonic() - began}


@pytest.mark.slow
def test_a_process_that_dies_is_named_and_not_waited_for(tmp_path: Path) -> None:
    found = run_on_processes(training_that_dies, tmp_path)
    assert list(found) == [0]
    assert found[0]["seconds"] < IN_TIME
    told = found[0]["told"]
    assert sum("LostPeerError: process 1 died" in message for message in told) == 1, told
    # By what the training itself does together.
    assert found[0]["ended"]
