"""Every experiment, one table: what was published or follows in closed form, and what comes out."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from collapse_guard.atomic import write_atomically
from collapse_guard.errors import MissingExtraError, bad_argument
from collapse_guard.examples.laboratory.experiment import Effort, Experiment, Run
from collapse_guard.examples.laboratory.figures import draw
from collapse_guard.examples.laboratory.published import Finding, table
from collapse_guard.examples.laboratory.worlds import (
    bigram,
    gaussian,
    gaussian_mean,
    gaussian_mixture,
    linear_regression,
    survey,
    unigram,
)
from collapse_guard.integrations.plots import figure_png

EXPERIMENTS: dict[str, Run] = {
    "gaussian": gaussian.experiment,
    "gaussian_mean": gaussian_mean.experiment,
    "gaussian_mixture": gaussian_mixture.experiment,
    "linear_regression": linear_regression.experiment,
    "unigram": unigram.experiment,
    "bigram": bigram.experiment,
    "survey": survey.experiment,
}
"""Every experiment, by the name that `--only` takes; a world of your own is a line more."""


def reproduce(output: Path, *, only: Sequence[str] = (), effort: Effort) -> list[Finding]:
    """Run experiments, and write `table.md`, `results.json` and a figure for each.

    Args:
        output: The folder.
        only: Names out of `EXPERIMENTS`; all where there are none.
        effort: How much is spent.

    Returns:
        The rows of the table.

    Raises:
        ArgumentError: There is no such experiment.
    """
    unknown = [name for name in only if name not in EXPERIMENTS]
    if unknown:
        raise bad_argument(
            "only", expected=f"names out of {', '.join(EXPERIMENTS)}", given=unknown, hint="choose"
        )
    done: dict[str, Experiment] = {}
    missed: dict[str, str] = {}
    for name in only or EXPERIMENTS:
        began = time.perf_counter()
        try:
            done[name] = EXPERIMENTS[name](effort)
            write_atomically(output / f"{name}.png", figure_png(draw(done[name].chart)))
        except MissingExtraError as error:
            missed[name] = str(error)
        print(f"{name}: {time.perf_counter() - began:.0f} s {missed.get(name, '')}", flush=True)
    findings = [each for experiment in done.values() for each in experiment.findings]
    page = _page(done, missed, findings)
    write_atomically(output / "results.json", json.dumps(_results(done, missed, effort), indent=1))
    write_atomically(output / "table.md", page)
    print(f"\n{page}\nWritten to {output}.")
    return findings


def _page(
    done: Mapping[str, Experiment], missed: Mapping[str, str], findings: Sequence[Finding]
) -> str:
    verdicts = [each.verdict(len(findings)) for each in findings]
    counts = [f"{verdicts.count(each)} {each}" for each in dict.fromkeys(verdicts)]
    parts = [table(findings), f"{len(findings)} rows: {', '.join(counts)}.\n"]
    parts += [f"{name}: {what}\n" for name, what in missed.items()]
    parts += [f"{note}\n" for experiment in done.values() for note in experiment.notes]
    parts.append(_alarms(done))
    return "\n".join(parts)


def _alarms(done: Mapping[str, Experiment]) -> str:
    lines = ["| world | regime | rule | first alarm |", "| --- | --- | --- | --- |"]
    for name, experiment in done.items():
        for regime, chain in experiment.chart.chains.items():
            for rule in chain.rules:
                steps = [alert.step for alert in chain.alerts if alert.rule == str(rule)]
                told = f"generation {steps[0]}" if steps else "none"
                lines.append(f"| {name} | {regime} | {rule} | {told} |")
    return "\n".join(lines) + "\n"


def _results(
    done: Mapping[str, Experiment], missed: Mapping[str, str], effort: Effort
) -> dict[str, Any]:
    rows = sum(len(experiment.findings) for experiment in done.values())
    return {
        **asdict(effort),
        "findings": [
            {
                **asdict(each),
                "experiment": name,
                "half_width": each.half_width(rows),
                "verdict": each.verdict(rows),
            }
            for name, experiment in done.items()
            for each in experiment.findings
        ],
        "not_run": dict(missed),
    }
