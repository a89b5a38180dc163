"""A world of the laboratory from outside of it, in one file: coins that are thrown and counted.

In the package one adds a file to `examples/laboratory/worlds/`, and a line to `EXPERIMENTS` in
`examples/laboratory/reproduce.py`.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from collapse_guard.examples.laboratory.__main__ import main
from collapse_guard.examples.laboratory.chain import run_chain
from collapse_guard.examples.laboratory.experiment import Chart, Effort, Experiment, finding
from collapse_guard.examples.laboratory.regimes import REGIMES
from collapse_guard.examples.laboratory.reproduce import EXPERIMENTS
from collapse_guard.examples.laboratory.world import Floats, Rows, World


class Coin:
    """A model is the share of heads."""

    meanings: Mapping[str, str] = {"variance": "variance of a throw"}

    def human(self, rows: int, replicates: int, generator: np.random.Generator) -> Rows:
        return generator.random((rows, replicates)) < 0.5

    def fit(self, rows: Rows) -> Floats:
        return np.asarray(rows.mean(0), np.float64)

    def sample(self, model: Floats, rows: int, generator: np.random.Generator) -> Rows:
        return generator.random((rows, len(model))) < model

    def readings(self, model: Floats) -> Mapping[str, Floats]:
        return {"variance": model * (1 - model)}


COIN: World = Coin()


def experiment(effort: Effort) -> Experiment:
    chain = run_chain(
        COIN,
        REGIMES["replace"],
        generations=6,
        rows=20,
        replicates=effort.replicates(8000),
        seed=effort.seed,
    )
    theory = [0.25 * (1 - 1 / 20) ** n for n in range(1, 7)]
    return Experiment(
        [finding("coin", "variance, n = 6", "theory", theory[-1], chain.estimate("variance", 6))],
        Chart({"replace": chain}, ["variance"], {"variance": {"replace": theory}}),
    )


def test_it_is_run_by_name_and_stands_in_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(EXPERIMENTS, "coin", experiment)
    main(["reproduce", "--quick", "--only", "coin", "--output", str(tmp_path)])
    (found,) = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))["findings"]
    assert found["verdict"] == "reproduced"
    assert (tmp_path / "coin.png").read_bytes().startswith(b"\x89PNG")
