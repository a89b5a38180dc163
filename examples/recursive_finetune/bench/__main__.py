"""The command line of the bench."""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from collapse_guard.atomic import write_atomically
from collapse_guard.errors import CollapseGuardError
from collapse_guard.examples.recursive_finetune.bench import figures, tables
from collapse_guard.examples.recursive_finetune.bench.costs import measure_costs
from collapse_guard.examples.recursive_finetune.bench.measures import Chains
from collapse_guard.examples.recursive_finetune.bench.running import Run, run_all, runs_of
from collapse_guard.examples.recursive_finetune.bench.studies import STUDIES, Study
from collapse_guard.examples.recursive_finetune.presets import parse
from collapse_guard.integrations.plots import figure_png


def main(arguments: Sequence[str] | None = None) -> None:
    """Run studies, and write their tables and figures; a failed run ends it with one line."""
    given = _parser().parse_args(arguments)
    folder = Path(given.output)
    common = {} if given.generations is None else {"generations": given.generations}
    try:
        if given.costs and not (folder / "costs.json").exists():
            chosen = ["--preset", given.preset, "--output-dir", str(folder / "costs")]
            measure_costs(parse(chosen), STUDIES["ranking"].regimes, folder)
        for name in given.studies:
            study = STUDIES[name]
            runs = runs_of(study, folder / name, given.seeds, given.preset, common)
            run_all(runs, processes=given.processes)
            write_study(study, runs, folder, name)
    except CollapseGuardError as error:
        raise SystemExit(f"error: {error}") from error


def write_study(study: Study, runs: Sequence[Run], folder: Path, name: str) -> str:
    """Write the table and the figure of a study whose runs are done.

    Args:
        study: Of them.
        runs: All of it.
        folder: Of the bench.
        name: Of the study.

    Returns:
        The table.
    """
    values = chains_of(study, runs)
    if study.option is not None:
        table, figure = tables.sweep(study.option, values), figures.sweep(study.option, values)
    else:
        (chains,) = values.values()
        if study.by_generation:
            table, figure = tables.course(chains), figures.course(chains)
        else:
            table, figure = tables.ranking(chains, _costs(folder)), figures.ranking(chains)
    write_atomically(folder / f"{name}.md", table)
    write_atomically(folder / f"{name}.png", figure_png(figure))
    print(f"{study.title}\n\n{table}")
    return table


def chains_of(study: Study, runs: Sequence[Run]) -> Mapping[Any, Chains]:
    """The chains of every value, by regime, one for each seed."""
    found: dict[Any, dict[str, list[Any]]] = {
        value: {name: [] for name in study.regimes} for value in study.values
    }
    for run in runs:
        regimes = run.results().regimes
        for name in study.regimes:
            found[run.value][name].append(regimes[name])
    return found


def _costs(folder: Path) -> Mapping[str, float]:
    path = folder / "costs.json"
    costs: dict[str, float] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return costs


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m collapse_guard.examples.recursive_finetune.bench",
        description="Run every regime over several seeds, or one setting over its values. What is "
        "done already is not run again.",
    )
    parser.add_argument("studies", nargs="*", choices=[*STUDIES, []], help=", ".join(STUDIES))
    parser.add_argument("--costs", action="store_true", help="measure what a step costs, once")
    parser.add_argument("--output", default="runs/bench", help="a folder")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--processes", type=int, default=2, help="runs at a time")
    parser.add_argument("--preset", default="laptop", help="that runs start from")
    parser.add_argument("--generations", type=int, help="other than the preset's")
    return parser


if __name__ == "__main__":
    main()
