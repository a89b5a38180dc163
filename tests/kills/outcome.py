"""What a run has come to, in a file, to be compared with that of a run that nobody killed."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from collapse_guard import CollapseMonitor, EveryNSteps, MixGuard, RareBoost, Threshold
from collapse_guard.atomic import write_atomically
from tests.tiny import tiny_panel, tiny_reference, zipf_documents

STEPS, BATCH, SAVE_EVERY = 40, 4, 4

OUTCOME = "outcome.json"

_WRITTEN_BY_TRANSFORMERS = {"config.json", "generation_config.json"}
"""In place, so that a kill leaves half of one, in a checkpoint that nobody goes on from."""

_TIMES = ("overhead", "stopwatch", "seconds", "runtime", "per_second")


class RowLog:
    """Which rows each step was trained on, in a file that a kill leaves readable.

    What is trained on again after a resume takes the place of what it was before.

    Args:
        folder: Of the run.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "rows.txt"

    def add(self, step: int, ids: torch.Tensor) -> None:
        """Say what a step is trained on: token ids of shape (rows, tokens)."""
        line = f"{step} {hashlib.sha256(ids.numpy().tobytes()).hexdigest()}\n"
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line)
            file.flush()

    def rows(self) -> list[str]:
        """What the steps were trained on, in order."""
        # A kill may leave half a line; the step is then trained on again.
        lines = [line.split() for line in self._path.read_text(encoding="utf-8").split("\n")]
        found = {int(line[0]): line[1] for line in lines if len(line) == 2 and len(line[1]) == 64}
        return [found[step] for step in sorted(found)]


def monitor() -> CollapseMonitor:
    """One that looks often, and whose alarm goes off in the middle of the run."""
    rules = [Threshold("perplexity", above=0.0, patience=7, alpha=None)]
    return CollapseMonitor(
        tiny_panel(), pace=EveryNSteps(3), rules=rules, rules_wait=False, sampling=None
    )


def mix(**settings: Any) -> MixGuard:
    """As many slots as the run has."""
    human, written = (
        [{"input_ids": ids} for ids in zipf_documents(60, length=16, seed=seed)] for seed in (5, 6)
    )
    boost = RareBoost(2.0, by=tiny_reference())
    given = {"human_fraction": 0.3, "block_size": BATCH, "length": STEPS * BATCH, "boost": boost}
    return MixGuard(human, written, **{**given, **settings})


def finish(folder: Path, model: torch.nn.Module, watch: CollapseMonitor, **more: Any) -> None:
    """Write down what the run has come to."""
    digest = hashlib.sha256()
    for name, value in model.state_dict().items():
        digest.update(name.encode() + value.numpy().tobytes())
    told = {
        "weights": digest.hexdigest(),
        "rows": RowLog(folder).rows(),
        "alarms": [[alert.step, alert.rule, alert.value] for alert in watch.alerts],
        "state": without_times(watch.state_dict()),
        **more,
    }
    write_atomically(folder / OUTCOME, json.dumps(told, sort_keys=True))


def without_times(value: Any) -> Any:
    """A state or a record without what a clock has measured, which differs from run to run."""
    if isinstance(value, Mapping):
        return {
            name: without_times(item)
            for name, item in value.items()
            if not any(
                word in str(name)
                for word in ("overhead", "stopwatch", "seconds", "runtime", "per_second")
            )
        }
    return [without_times(item) for item in value] if isinstance(value, list) else value


def leftovers(folder: Path) -> Sequence[str]:
    """Files of ours under a folder that a reader would trip over, since they are half-written."""
    found = []
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place, name)
            if path.suffix == ".json" and name not in _WRITTEN_BY_TRANSFORMERS:
                try:
                    json.loads(path.read_text(encoding="utf-8"))
                except ValueError:
                    found.append(f"{path.relative_to(folder)} is no whole JSON")
    return found
