"""A framework that the package does not know is added from outside of it.

All that watching a run comes to is in `WatchSession`. A callback says when something happens in its
framework (a handler that calls `start`, `step` and `end`), and, where the framework has its own
ways, where to log, how to save and how to stop (functions that are given to the session).

To add one inside of the package, write `callbacks/<framework>.py` and name its class in
`callbacks/__init__.py`. That is all; an extra in `pyproject.toml` says what to install for it.
"""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from collapse_guard import Alert, CollapseMonitor, EveryNSteps, Threshold
from collapse_guard.callbacks import WatchSession
from tests.tiny import BRIEF, tiny_gpt2, tiny_panel, zipf_documents

ROWS = torch.tensor(zipf_documents(32, length=16, seed=9))


class ToyTrainer:
    """Somebody's framework, with hooks, a history, checkpoints and a way to stop."""

    def __init__(self, model: torch.nn.Module, steps: int) -> None:
        self.model, self.steps, self.step = model, steps, 0
        self.hooks: dict[str, list[Callable[[], object]]] = {"begin": [], "step": [], "end": []}
        self.history: list[dict[str, Any]] = []
        self.checkpoints: dict[int, dict[str, torch.Tensor]] = {}
        self.stops = False

    def fire(self, hook: str) -> None:
        for each in self.hooks[hook]:
            each()

    def fit(self) -> None:
        optimizer = torch.optim.SGD(self.model.parameters(), lr=0.5)
        self.fire("begin")
        while self.step < self.steps and not self.stops:
            batch = ROWS[2 * self.step : 2 * self.step + 2]
            self.model(input_ids=batch, labels=batch).loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            self.step += 1
            self.fire("step")
        self.fire("end")


class ToyCallback:
    """The translation, which is all that a framework needs."""

    def __init__(self, monitor: CollapseMonitor, **arguments: Any) -> None:
        self.session = WatchSession(
            monitor, log=self.log, save=self.save, stop=self.stop, **arguments
        )

    def attach(self, trainer: ToyTrainer) -> None:
        self.trainer, session = trainer, self.session
        trainer.hooks["begin"].append(lambda: session.start(trainer.model, trainer.step))
        trainer.hooks["step"].append(lambda: session.step(trainer.model, trainer.step))
        trainer.hooks["end"].append(lambda: session.end(trainer.model, trainer.step))

    def log(self, record: dict[str, float], step: int) -> None:
        self.trainer.history.append({**record, "step": step})

    def save(self, step: int) -> None:
        weights = self.trainer.model.state_dict()
        self.trainer.checkpoints[step] = {name: each.clone() for name, each in weights.items()}

    def stop(self) -> None:
        self.trainer.stops = True


def watched(rules: list[Threshold], **arguments: Any) -> ToyTrainer:
    trainer = ToyTrainer(tiny_gpt2(), steps=8)
    monitor = CollapseMonitor(
        tiny_panel(), rules=rules, rules_wait=False, pace=EveryNSteps(3), sampling=BRIEF
    )
    ToyCallback(monitor, on_error="raise", **arguments).attach(trainer)
    trainer.fit()
    return trainer


def test_readings_reach_its_history() -> None:
    trainer = watched([])
    assert [record["step"] for record in trainer.history] == [0, 3, 6, 8]
    assert trainer.history[0]["collapse/tail_retention"] == 1.0
    by_hand = CollapseMonitor(tiny_panel(), rules=[], sampling=BRIEF)
    by_hand.start(tiny_gpt2())
    last = by_hand.look(trainer.model, 8)["tail_retention"]
    assert trainer.history[-1]["collapse/tail_retention"] == last


@pytest.mark.parametrize(("on_alert", "end"), [("save", 8), ("save_and_stop", 3)])
def test_alerts_act_in_its_own_ways(on_alert: Any, end: int) -> None:
    told: list[Alert] = []
    rule = Threshold("perplexity", above=0.0, alpha=None)
    trainer = watched([rule], on_alert=on_alert, sink=told.append)
    assert trainer.step == end
    assert list(trainer.checkpoints) == [alert.step for alert in told] == [3]


def test_it_trains_as_it_does_without() -> None:
    plain = ToyTrainer(tiny_gpt2(), steps=8)
    plain.fit()
    expected = plain.model.state_dict()
    weights = watched([]).model.state_dict()
    assert all(torch.equal(weights[name], expected[name]) for name in expected)
