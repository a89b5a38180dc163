"""A table of several runs, seed after seed."""

import argparse
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from collapse_guard.examples.recursive_finetune.results import GenerationResult, RunResults

COLUMNS = (
    "regime",
    "generation",
    "tail retention",
    "head retention",
    "perplexity (start)",
    "distinct-2 of its own text (start)",
    "entropy on human text / on its own",
    "generations with an alarm",
    "seeds",
)


def summary(runs: Sequence[RunResults], generations: Sequence[int]) -> str:
    """A Markdown table of runs that differ in their seed.

    Args:
        runs: One for each seed. Chains that a run does not have, or not so far, are left out of it.
        generations: Which to tell of.

    Returns:
        A line for each regime and generation: means over seeds, ± their standard error where there
        are several; of a single seed retentions ± the standard error over documents.
    """
    lines = [f"| {' | '.join(cells)} |" for cells in (COLUMNS, ["---"] * len(COLUMNS))]
    names = dict.fromkeys(name for run in runs for name in run.regimes)
    for name in names:
        chains = [run.regimes[name] for run in runs if name in run.regimes]
        for generation in generations:
            reached = [chain for chain in chains if len(chain) > generation]
            if reached:
                cells = [f"`{name}`", str(generation), *_cells(reached, generation)]
                lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cells(chains: Sequence[Sequence[GenerationResult]], generation: int) -> Iterator[str]:
    results, starts = [chain[generation] for chain in chains], [chain[0] for chain in chains]
    for name in ("tail_retention", "head_retention"):
        errors = [result.standard_errors[name] for result in results]
        yield _mean([result.readings[name] for result in results], 3, alone=errors[0])
    perplexities = [[each.readings["perplexity"] for each in them] for them in (results, starts)]
    yield "{} ({})".format(*(_mean(values, 1) for values in perplexities))
    yield "{} ({})".format(
        *(_mean([each.distinct_2 for each in them], 2) for them in (results, starts))
    )
    yield "{} / {}".format(
        _mean([result.readings["predictive_entropy"] for result in results], 2),
        _mean([result.own_entropy for result in results], 2),
    )
    alarmed = sum(bool(each.alerts) for chain in chains for each in chain[1 : generation + 1])
    yield f"{alarmed} of {generation * len(chains)}"
    yield str(len(chains))


def _mean(values: Sequence[float], digits: int, *, alone: float = math.nan) -> str:
    error = np.std(values, ddof=1) / math.sqrt(len(values)) if len(values) > 1 else alone
    spread = "" if math.isnan(error) else f" ± {error:.{digits}f}"
    return f"{np.mean(values):.{digits}f}{spread}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table of the runs in some folders.

    Args:
        arguments: The command line without the program's name; that of the process if None.
    """
    parser = argparse.ArgumentParser(
        prog="python -m collapse_guard.examples.recursive_finetune.summary",
        description="A table of runs that differ in their seed.",
    )
    parser.add_argument("folders", nargs="+", help="output folders of runs")
    parser.add_argument("--generations", type=int, nargs="+", default=[5], help="to tell of")
    given = parser.parse_args(arguments)
    runs = [RunResults.load(Path(folder) / "results.json") for folder in given.folders]
    print(summary(runs, given.generations), end="")


if __name__ == "__main__":
    main()
