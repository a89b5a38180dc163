"""A framework that this package knows nothing of: PyTorch Ignite, in some lines of translation."""

import argparse

import torch
from ignite.engine import Engine, Events

from collapse_guard import Alert, CollapseMonitor
from collapse_guard.callbacks import WatchSession
from collapse_guard.examples.loops.how_often import ask_how_often, how_often
from collapse_guard.examples.loops.tiny_language_model import (
    narrowing_run,
    next_token_loss,
    told,
)


class CollapseHandler:
    """Tells a session what an Ignite engine does.

    Args:
        session: What watches the run.
        model: What the engine trains; each of its iterations is one optimizer step.
    """

    def __init__(self, session: WatchSession, model: torch.nn.Module) -> None:
        self.session = session
        self.model = model

    def attach(self, engine: Engine) -> None:
        """Join an engine, before its `run`."""
        engine.add_event_handler(Events.STARTED, self._start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._step)
        engine.add_event_handler(Events.COMPLETED, self._end)

    def _start(self, engine: Engine) -> None:
        self.session.start(self.model, engine.state.iteration)

    def _step(self, engine: Engine) -> None:
        if self.session.step(self.model, engine.state.iteration):
            engine.terminate()

    def _end(self, engine: Engine) -> None:
        self.session.end(self.model, engine.state.iteration)


def main() -> None:
    """Train, and print what the monitor reads."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=200, help="training steps")
    ask_how_often(parser)
    parser.add_argument("--on-alert", default="log", help="log or stop")
    arguments = parser.parse_args()

    model, panel, batches = narrowing_run(arguments.steps)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)

    def train_on(_: Engine, batch: torch.Tensor) -> None:
        next_token_loss(model, batch).backward()
        optimizer.step()
        optimizer.zero_grad()

    def log(record: dict[str, float], step: int) -> None:
        print(f"step {step:4d}  {told(record)}")

    def tell(alert: Alert) -> None:
        print(f"{alert.severity}: {alert.message}")

    monitor = CollapseMonitor(panel, pace=how_often(arguments))
    session = WatchSession(monitor, on_alert=arguments.on_alert, sink=tell, log=log)
    trainer = Engine(train_on)
    CollapseHandler(session, model).attach(trainer)
    trainer.run(batches)
    print(f"end  overhead {monitor.overhead_spent:.1%}")


if __name__ == "__main__":
    main()
