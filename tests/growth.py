"""Whether anything grows with a run: memory, and what checkpoints and trackers hold.

    python -m tests.growth

looks at a small model after each of 100,000 steps, at the whole panel after each tenth, and prints
what there is of everything, in a quarter of an hour on one core.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import torch
from transformers import TrainerControl, TrainerState, TrainingArguments

from collapse_guard import CollapseMonitor, Threshold
from collapse_guard.alerts.sinks import tell_nobody
from collapse_guard.callbacks import WatchSession
from collapse_guard.callbacks.huggingface.records import TrainerEvent, log_record
from tests.paces import Scripted
from tests.tiny import VOCAB, tiny_panel


@dataclass(frozen=True)
class Size:
    """What there is after some steps.

    Attributes:
        step: After which.
        memory_mb: Resident in memory, in MB.
        state_kb: JSON of the session's state, in kB.
        history_kb: JSON of a Trainer's log history, in kB.
        looks: That the monitor remembers.
    """

    step: int
    memory_mb: float
    state_kb: float
    history_kb: float
    looks: int


class Bigrams(torch.nn.Module):
    """Next-token logits by the last token alone."""

    def __init__(self) -> None:
        super().__init__()
        self.table = torch.nn.Embedding(VOCAB, VOCAB)

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.table(input_ids)
        return logits


def sizes(steps: int, *, marks: int) -> Iterator[Size]:
    """Watch a run that changes a little at each step, and raises no alert: each is kept, in 0.7 kB.

    Args:
        steps: Of the run; every tenth looks at the whole panel, the others at a window.
        marks: How often what there is is told.
    """
    event = TrainerEvent(TrainingArguments(), TrainerState(), TrainerControl(), {})
    torch.manual_seed(0)
    model = Bigrams()
    monitor = CollapseMonitor(
        tiny_panel(),
        rules=[Threshold("head_retention", below=0.1)],
        rules_wait=False,
        pace=Scripted(1),
        sampling=None,
    )

    def log(record: dict[str, float], step: int) -> None:
        event.state.global_step = step
        log_record(record, event, None)

    session = WatchSession(monitor, sink=tell_nobody, on_error="raise", log=log)
    session.start(model)
    for step in range(1, steps + 1):
        with torch.no_grad():
            model.table.weight += 0.01 * torch.randn(VOCAB, VOCAB)
            model.table.weight *= 0.9999
        if step % 10:
            session.step(model, step)
        else:
            session.look(model, step)
        if step % (steps // marks) == 0:
            yield Size(
                step,
                _resident_mb(),
                len(json.dumps(session.state_dict())) / 1e3,
                len(json.dumps(event.state.log_history)) / 1e3,
                len(monitor.history),
            )


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / 1e6


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(prog="python -m tests.growth", description=__doc__)
    parser.add_argument("--steps", type=int, default=100_000)
    given = parser.parse_args()
    names = [field.name for field in fields(Size)]
    print(f"| {' | '.join(names)} |\n| {' | '.join('---' for _ in names)} |")
    for size in sizes(given.steps, marks=10):
        print(f"| {' | '.join(f'{value:,.0f}' for value in astuple(size))} |", flush=True)


if __name__ == "__main__":
    main()
