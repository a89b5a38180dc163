"""Every regime for some seeds: results, a table, and two figures."""

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from collapse_guard import Reading
from collapse_guard.atomic import write_atomically
from collapse_guard.examples.beyond_text.chain import (
    QUICK,
    Generation,
    Settings,
    first_model,
    run_chain,
)
from collapse_guard.examples.beyond_text.figures import (
    draw_images,
    draw_readings,
    draw_tables,
    shown_generations,
)
from collapse_guard.examples.beyond_text.markdown import last_readings
from collapse_guard.examples.beyond_text.people import CLASSES, people
from collapse_guard.examples.beyond_text.regimes import REGIMES
from collapse_guard.examples.beyond_text.tables import run_tables, tables_page
from collapse_guard.integrations.plots import figure_png
from collapse_guard.statistics.estimates import document_mean

Chains = Mapping[str, Sequence[Sequence[Generation]]]
"""By regime, for each seed, its generations."""

TOLD = ("tail_retention", "head_retention", "drawn_rare_share", "drawn_entropy", "drawn_digits")
"""Readings of the table."""


@dataclass(frozen=True)
class Study:
    """What came out.

    Attributes:
        settings: How long, and how much.
        seeds: In the order of the chains.
        rare: The digits of which people wrote few.
        chains: What each regime made of it.
    """

    settings: Settings
    seeds: tuple[int, ...]
    rare: tuple[int, ...]
    chains: Chains

    def readings(self, regime: str) -> list[Reading]:
        """A reading for each generation: means over seeds, which standard errors are over."""
        seeds = self.chains[regime]
        return [
            Reading.of(
                each[0].number,
                {
                    name: document_mean(np.array([one.readings[name] for one in each]))
                    for name in each[0].readings
                },
            )
            for each in zip(*seeds, strict=True)
        ]


def run(output: Path, *, seeds: Sequence[int] = (0, 1, 2), quick: bool = False) -> Study:
    """Run all regimes, of digits and of tables, and write what comes out.

    That is `results.json`, `table.md`, `readings.png` and `images.png` of digits, `tables.md` and
    `tables.png` of tables.

    Args:
        output: The folder.
        seeds: Of all random numbers, among them which images are held out; at least one.
        quick: Seconds instead of minutes; too little to show anything.

    Returns:
        What was written.

    Raises:
        MissingExtraError: scikit-learn, Lightning or matplotlib is not installed.
    """
    settings, began = QUICK if quick else Settings(), time.perf_counter()
    chains: dict[str, list[list[Generation]]] = {name: [] for name in REGIMES}
    for seed in seeds:
        ours = people(seed)
        first = first_model(ours, settings, seed)
        for name, regime in REGIMES.items():
            chains[name].append([])
            for each in run_chain(ours, regime, first, settings=settings, seed=seed):
                chains[name][-1].append(each)
                print(_progress(seed, name, each, settings), flush=True)
    study = Study(settings, tuple(seeds), ours.rare, chains)
    runs = {name: study.readings(name) for name in chains}
    page = table(study)
    write_atomically(output / "readings.png", figure_png(draw_readings(runs)))
    drawn = {name: of_seeds[0] for name, of_seeds in chains.items()}
    write_atomically(output / "images.png", figure_png(draw_images(drawn)))
    write_atomically(output / "results.json", json.dumps(_results(study), indent=1))
    write_atomically(output / "table.md", page)
    chains_of_tables = run_tables(tables=4, generations=3) if quick else run_tables()
    of_tables = tables_page(chains_of_tables)
    page += f"\n{of_tables}"
    write_atomically(output / "tables.md", of_tables)
    write_atomically(output / "tables.png", figure_png(draw_tables(chains_of_tables)))
    print(f"\n{page}\nWritten to {output}, in {time.perf_counter() - began:.0f} s.")
    return study


def table(study: Study) -> str:
    """Readings of the last generation, first alarms, and which digits are drawn, in Markdown."""
    runs = {name: study.readings(name) for name in study.chains}
    parts = [last_readings(runs, TOLD), "\n".join(_alarms(study)), "\n".join(_digits(study))]
    return "\n\n".join(parts) + "\n"


def _alarms(study: Study) -> Iterable[str]:
    """The generation in which each rule told first, for each seed."""
    yield "| regime | rule | first told in generation, by seed |"
    yield "| --- | --- | --- |"
    for name, of_seeds in study.chains.items():
        rules = dict.fromkeys(a.rule for chain in of_seeds for g in chain for a in g.alerts)
        if not rules:
            yield f"| {name} | any | none |"
        for rule in rules:
            told = [
                next((str(g.number) for g in chain if rule in {a.rule for a in g.alerts}), "never")
                for chain in of_seeds
            ]
            yield f"| {name} | {rule} | {', '.join(told)} |"


def _digits(study: Study) -> Iterable[str]:
    """How many images of each digit are drawn, over all seeds."""
    shown = [f"**{digit}**" if digit in study.rare else str(digit) for digit in range(CLASSES)]
    yield f"| regime | generation | {' | '.join(shown)} |"
    yield f"| --- | --- |{' --- |' * CLASSES}"
    for name, of_seeds in study.chains.items():
        for number in shown_generations(len(of_seeds[0])):
            counts = np.sum([chain[number - 1].digits for chain in of_seeds], axis=0)
            yield f"| {name} | {number} | {' | '.join(map(str, counts))} |"


def _progress(seed: int, regime: str, each: Generation, settings: Settings) -> str:
    of = each.readings
    return (
        f"seed {seed}, {regime}, generation {each.number} of {settings.generations}: "
        f"tail retention {of['tail_retention']:.2f}, {of['drawn_digits']:.0f} digits, "
        f"rare ones {of['drawn_rare_share']:.2f} times as often as people's"
        f"{', ' + each.alerts[0].rule if each.alerts else ''}"
    )


def _results(study: Study) -> dict[str, Any]:
    return {
        "settings": asdict(study.settings),
        "rare": list(study.rare),
        "chains": [
            {
                "seed": seed,
                "regime": name,
                "generation": each.number,
                "human_share": each.human_share,
                "readings": dict(each.readings),
                "digits": list(each.digits),
                "alerts": [asdict(alert) for alert in each.alerts],
            }
            for name, of_seeds in study.chains.items()
            for seed, chain in zip(study.seeds, of_seeds, strict=True)
            for each in chain
        ],
    }
