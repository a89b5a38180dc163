"""What regimes cost: processor time of a training step, over that of plain training."""

import json
import statistics
from collections.abc import Sequence
from pathlib import Path

from collapse_guard.atomic import write_atomically
from collapse_guard.examples.recursive_finetune.experiment import prepare
from collapse_guard.examples.recursive_finetune.progress import progress_bar
from collapse_guard.examples.recursive_finetune.settings import Settings

_PLAIN = "replace"


def measure_costs(
    settings: Settings, regimes: Sequence[str], output: Path, *, rounds: int = 3
) -> dict[str, float]:
    """Train one generation in each regime, in turn, and write `costs.json`.

    What goes before the training belongs to it: filtering, editing, and the search for a sampler;
    what is written besides for it too. Looks do not.

    Args:
        settings: Of the run.
        regimes: To measure; that on its own text alone is measured too.
        output: The folder.
        rounds: Times that each is measured; medians are kept.

    Returns:
        Processor time of a step, over that of `replace`.
    """
    laboratory = prepare(settings)
    names = [_PLAIN, *(name for name in regimes if name != _PLAIN)]
    turns = [name for _ in range(rounds) for name in names]
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for name in progress_bar("costs", turns):
        seconds[name].append(laboratory.seconds_per_step(name))
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    costs = {name: median / medians[_PLAIN] for name, median in medians.items()}
    write_atomically(output / "costs.json", json.dumps(costs, indent=2) + "\n")
    return costs
