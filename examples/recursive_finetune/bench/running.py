"""Runs of the example in processes of their own, side by side; what is there is not run again."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from collapse_guard.errors import CollapseGuardError
from collapse_guard.examples.recursive_finetune.bench.studies import Study
from collapse_guard.examples.recursive_finetune.progress import progress_bar
from collapse_guard.examples.recursive_finetune.results import RunResults


@dataclass(frozen=True)
class Run:
    """One run of the example.

    Attributes:
        value: Of the study's setting.
        seed: Of the run.
        folder: Where it is kept.
        arguments: Of the example's command line.
    """

    value: Any
    seed: int
    folder: Path
    arguments: Sequence[str]

    def results(self) -> RunResults:
        """What it found."""
        return RunResults.load(self.folder / "results.json")


def runs_of(
    study: Study, folder: Path, seeds: Sequence[int], preset: str, common: Mapping[str, Any]
) -> list[Run]:
    """The runs of a study, one for each value and seed.

    Args:
        study: Of them.
        folder: Where they are kept.
        seeds: One run for each.
        preset: That they start from.
        common: Settings of every run, which those of the study go before.
    """
    runs = []
    for seed in seeds:
        for value in study.values:
            here = folder / ("all" if value is None else str(value)) / f"seed_{seed}"
            chosen = {**common, **study.settings_of(value), "seed": seed, "output_dir": here}
            options = [f"--{name}={given}" for name, given in chosen.items()]
            arguments = ["--preset", preset, *options, "--regimes", *study.regimes]
            runs.append(Run(value, seed, here, arguments))
    return runs


def run_all(runs: Sequence[Run], *, processes: int) -> None:
    """Run what is not there yet.

    Each run has a log beside its results, goes on where it was killed, and has its share of the
    processor's cores as threads.

    Args:
        runs: Which.
        processes: Most runs at a time.

    Raises:
        CollapseGuardError: A run failed; the others are finished all the same.
    """
    left = [run for run in runs if not _is_done(run)]
    threads = max(1, (os.cpu_count() or 1) // processes)
    failed = []
    with ThreadPoolExecutor(processes) as pool:
        futures = {pool.submit(_run, each, threads): each for each in left}
        for future in progress_bar("runs", as_completed(futures), total=len(futures)):
            if future.result():
                failed.append(futures[future].folder / "log.txt")
    if failed:
        raise CollapseGuardError(
            f"{len(failed)} of {len(left)} runs failed: see {', '.join(map(str, failed))}"
        )


def _run(run: Run, threads: int) -> int:
    run.folder.mkdir(parents=True, exist_ok=True)
    program = [sys.executable, "-m", "collapse_guard.examples.recursive_finetune"]
    with (run.folder / "log.txt").open("w", encoding="utf-8") as log:
        code = subprocess.run(
            [*program, *run.arguments],
            env={**os.environ, "OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "PASSIVE"},
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        ).returncode
    if not code:
        # Only now: results are written after every generation, and may be of half a run.
        (run.folder / "done.json").write_text(json.dumps(list(run.arguments)), encoding="utf-8")
    return code


def _is_done(run: Run) -> bool:
    done = run.folder / "done.json"
    return done.exists() and json.loads(done.read_text(encoding="utf-8")) == list(run.arguments)
