"""Table and figure of the generations that hand poison on."""

from typing import TYPE_CHECKING, Any

from collapse_guard.examples.mistakes.poison import QUICK, Size, poisoning
from collapse_guard.examples.mistakes.shown_sums import by_way
from collapse_guard.examples.mistakes.study import Records, Study
from collapse_guard.examples.over_seeds import as_reading, over_seeds
from collapse_guard.integrations.plots import plot_readings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = {
    "poison_rare": "poison, rare form",
    "poison_kept": "of the first model's",
    "right_rare": "right, rare form",
    "right_common": "right, common form",
    "tail_retention": "tail retention",
}
"""What is told of each generation, by the name in the records."""

DRAWN = ("poison_rare", "poison_kept", "right_common", "tail_retention")
"""Of those, what the figure has a panel for."""


def against_first(records: Records) -> list[dict[str, Any]]:
    """Records with `poison_kept`: what is left of the first model's poison, seed by seed."""
    first = {
        (each["way"], each["seed"]): each["poison_rare"]
        for each in records
        if each["generation"] == 0
    }
    return [
        {**each, "poison_kept": each["poison_rare"] / first[each["way"], each["seed"]]}
        for each in records
    ]


def table(records: Records) -> str:
    """Means ± half of the 95% interval over seeds, a line for each way and generation.

    The probability of the poison in the common form is told by its largest over seeds.
    """
    lines = [
        f"| trained on | generation | {' | '.join(COLUMNS.values())} "
        "| poison, common form, at most | poisoned of the rare rows handed on | alarms | seeds |",
        "| --- " * (len(COLUMNS) + 6) + "|",
    ]
    for way, generations in by_way(against_first(records)).items():
        for generation, group in generations.items():
            # The first model is what the later ones are compared with.
            cells = [
                f"{over_seeds([each.get(name, 1.0) for each in group]):.2f}" for name in COLUMNS
            ]
            cells.append(f"{max(each['poison_common'] for each in group):.0e}")
            asked = sum(each.get("asked_rare", 0) for each in group)
            poisoned = sum(each.get("written_poison", 0) for each in group)
            cells.append(f"{poisoned} of {asked}" if asked else "")
            cells.append(f"{sum(bool(each.get('alerts')) for each in group)} of {len(group)}")
            lines.append(f"| {way} | {generation} | {' | '.join(cells)} | {len(group)} |")
    return "\n".join([*lines, "", *_less_replace(against_first(records))]) + "\n"


def draw(records: Records) -> "Figure":
    """A panel for each measure, a line for each way, bands of 95%."""
    return plot_readings(
        {
            way: [
                as_reading(
                    generation,
                    {name: over_seeds([each.get(name, 1.0) for each in group]) for name in DRAWN},
                )
                for generation, group in generations.items()
            ]
            for way, generations in by_way(against_first(records)).items()
        },
        titles=COLUMNS,
        step="generation",
        columns=2,
    )


def _less_replace(records: Records) -> list[str]:
    """How much more of the poison is left than in `replace`, seed by seed."""
    ways = by_way(records)
    shown = list(ways["replace"])[1:]
    lines = [
        f"| {COLUMNS['poison_kept']}, less that of `replace` | "
        + " | ".join(f"generation {generation}" for generation in shown)
        + " |",
        "| --- " * (len(shown) + 1) + "|",
    ]
    for way, generations in ways.items():
        if way != "replace":
            less = [
                over_seeds(
                    [
                        one["poison_kept"] - other["poison_kept"]
                        for one, other in zip(generations[each], ways["replace"][each], strict=True)
                    ]
                )
                for each in shown
            ]
            lines.append(f"| {way} | {' | '.join(f'{each:.2f}' for each in less)} |")
    return lines


def _measure(seed: int, quick: bool) -> list[dict[str, Any]]:
    return poisoning(seed, QUICK if quick else Size())


STUDY = Study(_measure, table, draw)
"""What the command `poison` does."""
