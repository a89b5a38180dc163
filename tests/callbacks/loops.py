"""A small loop of one's own, and sessions that watch it."""

from typing import Any

import torch

from collapse_guard import (
    CollapseMonitor,
    EveryNSteps,
    Threshold,
)
from collapse_guard.callbacks import WatchSession
from tests.paces import Scripted
from tests.tiny import tiny_gpt2, tiny_panel, zipf_documents

ROWS = torch.tensor(zipf_documents(32, length=16, seed=9))
STEPS = 8
NUM_WINDOWS = len(tiny_panel())
ALWAYS_BROKEN = Threshold("perplexity", above=0.0, alpha=None)
RAISED = {"on_error": "raise"}


class Log:
    """Keeps what a tracker would be sent."""

    def __init__(self) -> None:
        self.records: list[tuple[int, dict[str, float]]] = []

    def __call__(self, record: dict[str, float], step: int) -> None:
        self.records.append((step, record))

    @property
    def steps(self) -> list[int]:
        return [step for step, _ in self.records]


def monitor_of(
    windows: dict[int, int] | None = None, rules: Any = (), **arguments: Any
) -> CollapseMonitor:
    """Looks at the whole panel every 3 steps, or at so many windows, by step."""
    settings = {"sampling": None, "rules_wait": False, **arguments}
    monitor = CollapseMonitor(tiny_panel(), rules=list(rules), pace=EveryNSteps(3), **settings)
    if windows is not None:
        monitor._run.schedule = Scripted(windows)
    return monitor


def session_of(monitor: CollapseMonitor | None = None, **arguments: Any) -> WatchSession:
    return WatchSession(monitor or monitor_of(), **{**RAISED, **arguments})


def train(
    session: WatchSession,
    *,
    model: torch.nn.Module | None = None,
    first: int = 1,
    steps: int = STEPS,
) -> int:
    """The step that such a loop comes to."""
    model = tiny_gpt2() if model is None else model
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    session.start(model, first - 1)
    for step in range(first, steps + 1):
        batch = ROWS[step * 2 : step * 2 + 2]
        model(input_ids=batch, labels=batch).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if session.step(model, step):
            break
    session.end(model, step)
    return step
