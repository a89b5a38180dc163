"""A loop in plain PyTorch: a model trains on its own text, and the monitor sees what it loses."""

import argparse

import torch

from collapse_guard import Budget, CollapseMonitor, FailureGuard
from collapse_guard.examples.loops.tiny_language_model import (
    human_text,
    next_token_loss,
    pretrained,
    told,
    written_by,
)


def main() -> None:
    """Train, and print what the monitor reads."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=200, help="training steps")
    parser.add_argument("--overhead", type=float, default=0.1, help="the monitor's share of time")
    arguments = parser.parse_args()

    human_rows, panel = human_text()
    model = pretrained(human_rows)
    rows = written_by(model, human_rows)
    batches = rows[torch.randint(len(rows), (arguments.steps, 16))]
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)

    monitor = CollapseMonitor(panel, pace=Budget(arguments.overhead))
    monitor.start(model)
    failures = FailureGuard()
    for step, batch in enumerate(batches, start=1):
        loss = next_token_loss(model, batch)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        with failures.contained("looking at the model"):
            if reading := monitor.observe(model, step):
                print(f"step {step:4d}  loss {loss:.3f}  {told(reading)}")
    last = monitor.look(model, arguments.steps)
    print(f"end  {told(last)}  overhead {monitor.overhead_spent:.1%}")
    for alert in monitor.alerts:
        print(f"{alert.severity}: {alert.message}")


if __name__ == "__main__":
    main()
