"""Table and figure of the generations that train on their own sums."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from collapse_guard.examples.mistakes.self_training import QUICK, Size, self_training
from collapse_guard.examples.mistakes.study import Records, Study
from collapse_guard.examples.over_seeds import as_reading, over_seeds
from collapse_guard.integrations.plots import plot_readings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = {
    "accuracy": "accuracy, likeliest",
    "accuracy_drawn": "accuracy, drawn",
    "ece": "ECE",
    "vote_share": "vote share",
    "tail_retention": "tail retention",
    "head_retention": "head retention",
}
"""What is told, by the name in the records."""


def by_way(records: Records) -> dict[str, dict[int, list[Mapping[str, Any]]]]:
    """Records by way and generation, in their order."""
    found: dict[str, dict[int, list[Mapping[str, Any]]]] = {}
    for each in records:
        found.setdefault(each["way"], {}).setdefault(each["generation"], []).append(each)
    return found


def table(records: Records) -> str:
    """Means ± half of the 95% interval over seeds, a line for each way and generation."""
    lines = [
        f"| trained on | generation | {' | '.join(COLUMNS.values())} | seeds |",
        "| --- " * (len(COLUMNS) + 3) + "|",
    ]
    for way, generations in by_way(records).items():
        for generation, group in generations.items():
            # The first model is what it is compared with.
            cells = [
                f"{over_seeds([each.get(name, 1.0) for each in group]):.2f}" for name in COLUMNS
            ]
            lines.append(f"| {way} | {generation} | {' | '.join(cells)} | {len(group)} |")
    lines += ["", *_less_human(records)]
    lines += ["", "| trained on | generations with an alarm, and the first |", "| --- | --- |"]
    for way, generations in by_way(records).items():
        lines.append(f"| {way} | {'; '.join(_alarms(generations))} |")
    return "\n".join(lines) + "\n"


def draw(records: Records) -> "Figure":
    """A panel for each measure, a line for each way, bands of 95%.

    What is drawn is the change since the seed's first model: those differ more than ways do.
    """
    first = {each["seed"]: each for each in records if not each["generation"]}
    return plot_readings(
        {
            way: [
                as_reading(
                    generation,
                    {
                        name: over_seeds([_less(each, first[each["seed"]], name) for each in group])
                        for name in COLUMNS
                    },
                )
                for generation, group in generations.items()
            ]
            for way, generations in by_way(records).items()
        },
        titles={name: f"{title}, change" for name, title in COLUMNS.items()},
        step="generation",
    )


def _less_human(records: Records) -> list[str]:
    """The last generation less that of `human`, seed by seed, since seeds differ alike in both."""
    ways = by_way(records)
    last = max(ways["human"])
    people = {each["seed"]: each for each in ways["human"][last]}
    lines = [
        f"| generation {last} less that of `human` | {' | '.join(COLUMNS.values())} |",
        "| --- " * (len(COLUMNS) + 1) + "|",
    ]
    for way, generations in ways.items():
        if way != "human":
            less = [
                over_seeds([_less(each, people[each["seed"]], name) for each in generations[last]])
                for name in COLUMNS
            ]
            lines.append(f"| {way} | {' | '.join(f'{each:.2f}' for each in less)} |")
    return lines


def _less(one: Mapping[str, Any], other: Mapping[str, Any], name: str) -> float:
    # The first model is what retention is measured against.
    return float(one.get(name, 1.0) - other.get(name, 1.0))


def _alarms(generations: Mapping[int, Sequence[Mapping[str, Any]]]) -> list[str]:
    found: dict[int, list[str]] = {each["seed"]: [] for each in generations[0]}
    for generation, group in generations.items():
        for each in group:
            for step, rule in each.get("alerts", [])[:1]:
                told = found[each["seed"]]
                told.append(f"{generation}" if told else f"{generation} (step {step}: {rule})")
    return [f"seed {seed}: {', '.join(told) or 'none'}" for seed, told in found.items()]


def _measure(seed: int, quick: bool) -> list[dict[str, Any]]:
    return self_training(seed, QUICK if quick else Size())


STUDY = Study(_measure, table, draw)
"""What the command `sums` does."""
