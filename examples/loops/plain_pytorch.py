"""A loop in plain PyTorch: a model trains on its own text, and the monitor sees what it loses."""

import argparse

import torch

from collapse_guard import Alert, CollapseMonitor
from collapse_guard.callbacks import WatchSession
from collapse_guard.examples.loops.how_often import ask_how_often, how_often
from collapse_guard.examples.loops.tiny_language_model import (
    narrowing_run,
    next_token_loss,
    told,
)


def main() -> None:
    """Train, and print what the monitor reads."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=200, help="training steps")
    ask_how_often(parser)
    parser.add_argument("--on-alert", default="log", help="log, save, stop or save_and_stop")
    parser.add_argument("--checkpoint", default="checkpoint.pt", help="the file for save")
    arguments = parser.parse_args()

    model, panel, batches = narrowing_run(arguments.steps)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)

    def log(record: dict[str, float], step: int) -> None:
        print(f"step {step:4d}  {told(record)}")

    def tell(alert: Alert) -> None:
        print(f"{alert.severity}: {alert.message}")

    def save(step: int) -> None:
        state = {"model": model.state_dict(), "session": session.state_dict(), "step": step}
        torch.save(state, arguments.checkpoint)

    monitor = CollapseMonitor(panel, pace=how_often(arguments))
    session = WatchSession(monitor, on_alert=arguments.on_alert, sink=tell, log=log, save=save)
    session.start(model)
    for step, batch in enumerate(batches, start=1):
        next_token_loss(model, batch).backward()
        optimizer.step()
        optimizer.zero_grad()
        if session.step(model, step):
            break
    session.end(model, step)
    print(f"end  overhead {monitor.overhead_spent:.1%}")


if __name__ == "__main__":
    main()
