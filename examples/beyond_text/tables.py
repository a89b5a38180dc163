"""Rows of a table: a tree of categories fitted to its own draws, rare regions kept by a boost.

The laboratory's survey, one table at a time, with rows as a user has them: mappings of columns.
There chains of many replicates follow closed forms; here `RareBoost` reads a column of each table.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from collapse_guard import Threshold
from collapse_guard.diversity import plug_in_entropy
from collapse_guard.examples.beyond_text.markdown import last_readings
from collapse_guard.examples.beyond_text.regimes import REGIMES, Lesson, mixed
from collapse_guard.examples.laboratory.chain import Chain, told
from collapse_guard.examples.laboratory.regimes import Recipe
from collapse_guard.examples.laboratory.worlds.survey import Survey

COLUMNS = ("region", "trade", "household")

MEANINGS: Mapping[str, str] = {
    "regions": "number of regions that the model can still draw",
    "pairs": "number of pairs of a region and a trade that it can still draw",
    "rare_regions": "share of the two rarest regions, over that by the law of people",
    "region_entropy": "entropy of regions among drawn rows, in bits",
}

RULES = (
    Threshold("regions", below=0.9, relative_to_start=True),
    Threshold("pairs", below=0.7, relative_to_start=True),
    Threshold("rare_regions", above=1.5, relative_to_start=True),
)
"""Against the first generation: the last one tells a boost that overdoes it."""

_BATCH = 20


def run_tables(
    *, tables: int = 40, generations: int = 10, rows: int = 100, floor: float = 0.3
) -> dict[str, Chain]:
    """Chains of each regime: every table has people of its own, the same in all generations.

    Args:
        tables: Independent ones, at least 2: standard errors are over them.
        generations: At least 1, the first of which is fitted to people's rows.
        rows: Of people, and of each generation: a multiple of 20.
        floor: Of `mixguard`, which shows people of the rarest regions twice as often too.

    Returns:
        By regime, what was read, and what `RULES` told of the means.
    """
    found = {}
    for name, regime in REGIMES.items():
        each = [_chain(regime, generations, rows, floor, seed) for seed in range(tables)]
        values = {
            reading: np.array([[of[reading] for of in chain] for chain, _ in each]).T
            for reading in MEANINGS
        }
        shares = tuple(np.mean([own for _, own in each], axis=0).tolist())
        found[name] = told(Chain(values, shares, RULES), MEANINGS)
    return found


def tables_page(chains: Mapping[str, Chain]) -> str:
    """Readings of the last generation, and the generation in which each rule told first."""
    lines = ["| regime | rule | first told in generation |", "| --- | --- | --- |"]
    for name, chain in chains.items():
        first = {alert.rule: alert.step for alert in reversed(chain.alerts)}
        lines += [f"| {name} | {rule} | {step} |" for rule, step in sorted(first.items())]
        if not first:
            lines.append(f"| {name} | any | none |")
    runs = {name: chain.readings for name, chain in chains.items()}
    return last_readings(runs, list(MEANINGS)) + "\n\n" + "\n".join(lines) + "\n"


def _chain(
    regime: Callable[[Lesson], Recipe], generations: int, rows: int, floor: float, seed: int
) -> tuple[list[dict[str, float]], list[float]]:
    """Readings of each generation of one table, and the shares of people's rows."""
    world, generator = Survey(), np.random.default_rng(seed)
    people = _as_rows(world.human(rows, 1, generator)[:, 0])
    written: list[list[dict[str, int]]] = []
    read, shares = [], []
    for number in range(generations):
        lesson = Lesson(people, people, written, COLUMNS[0], floor, boost=2.0)
        recipe = (regime if written else REGIMES["human"])(lesson)
        guard = mixed(recipe, batch_size=_BATCH, steps=rows // _BATCH, seed=seed + number)
        shown = [[row[name] for name in COLUMNS] for row in guard.__getitems__(range(len(guard)))]
        model = world.fit(np.array(shown)[:, None])
        drawn = world.sample(model, rows, generator)[:, 0]
        values = {name: float(value[0]) for name, value in world.readings(model).items()}
        values["region_entropy"] = plug_in_entropy([drawn[:, 0]], budget=rows)
        read.append(values)
        shares.append(guard.report().human_share)
        written.append(_as_rows(drawn))
    return read, shares


def _as_rows(table: npt.NDArray[Any]) -> list[dict[str, int]]:
    return [dict(zip(COLUMNS, row, strict=True)) for row in table.tolist()]
