"""A loop in Accelerate, on model text with a floor of human rows, that accumulates gradients."""

import argparse

import torch
from accelerate import Accelerator

from collapse_guard import Alert, CollapseMonitor, MixGuard
from collapse_guard.callbacks import WatchSession
from collapse_guard.examples.loops.how_often import ask_how_often, how_often
from collapse_guard.examples.loops.tiny_language_model import (
    human_text,
    next_token_loss,
    pretrained,
    told,
    written_by,
)

BATCH = 8


def main() -> None:
    """Train, and print what the monitor reads."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=200, help="optimizer steps")
    parser.add_argument("--human-fraction", type=float, default=0.5, help="share of human rows")
    ask_how_often(parser)
    arguments = parser.parse_args()

    accelerator = Accelerator(gradient_accumulation_steps=2)
    human_rows, panel = human_text()
    model = pretrained(human_rows)
    written_rows = written_by(model, human_rows)
    mix = MixGuard(
        [{"input_ids": row} for row in human_rows],
        [{"input_ids": row} for row in written_rows],
        human_fraction=arguments.human_fraction,
        block_size=BATCH,
        length=4 * len(written_rows),
    )
    loader = torch.utils.data.DataLoader(mix, batch_size=BATCH)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    model, optimizer, loader = accelerator.prepare(model, optimizer, loader)

    def log(record: dict[str, float], step: int) -> None:
        accelerator.print(f"step {step:4d}  {told(record)}")
        accelerator.log(record, step)

    def tell(alert: Alert) -> None:
        print(f"{alert.severity}: {alert.message}")

    monitor = CollapseMonitor(panel, pace=how_often(arguments))
    session = WatchSession(monitor, sink=tell, log=log)
    # From now on `accelerator.save_state` and `load_state` include what it knows.
    accelerator.register_for_checkpointing(session)
    session.start(model)
    step = 0
    while step < arguments.steps and not session.should_stop:
        for batch in loader:
            with accelerator.accumulate(model):
                loss = next_token_loss(model, batch["input_ids"])
                accelerator.backward(loss)
                optimizer.step()
                optimizer.zero_grad()
            # The weights change with the last batch of a step. On every process, since all share
            # the work.
            step += accelerator.sync_gradients
            if session.step(model, step) or step == arguments.steps:
                break
    session.end(model, step)
    processes = accelerator.num_processes
    accelerator.print(f"end  overhead {monitor.overhead_spent:.1%}  processes {processes}")
    accelerator.end_training()


if __name__ == "__main__":
    main()
