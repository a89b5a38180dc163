"""The bench's tables, in Markdown."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from collapse_guard.examples.recursive_finetune.bench.measures import (
    MEASURES,
    Chain,
    Chains,
    alarm_step,
    measured,
    ranked,
)


def ranking(chains: Chains, costs: Mapping[str, float]) -> str:
    """Regimes from the one that keeps most to the one that keeps least.

    Args:
        chains: Of every regime.
        costs: Processor time of a training step, what goes before it included, over that of
            `replace`; of the regimes that it was measured for.
    """
    head = ["regime", *(each.title for each in MEASURES.values())]
    rows = [
        [
            f"`{name}`",
            *_cells(chains[name]),
            _alarms(chains[name]),
            f"{costs[name]:.2f}" if name in costs else "-",
        ]
        for name in ranked(chains)
    ]
    return _markdown([*head, "first alarm (step)", "time of a step"], rows)


def sweep(option: str, values: Mapping[Any, Chains]) -> str:
    """A line for each value of a setting and regime.

    Args:
        option: The setting's name.
        values: Chains of every value.
    """
    head = [option, "regime", *(each.title for each in MEASURES.values())]
    rows = [
        [str(value), f"`{name}`", *_cells(of_seeds), _alarms(of_seeds)]
        for value, chains in values.items()
        for name, of_seeds in chains.items()
    ]
    return _markdown([*head, "first alarm (step)"], rows)


def course(chains: Chains) -> str:
    """A line for each generation and regime, with the human tokens up to it.

    Args:
        chains: Of every regime, all of one length.
    """
    head = ["generation", "regime", "human tokens so far", *(m.title for m in MEASURES.values())]
    rows = [
        [
            str(generation),
            f"`{name}`",
            f"{sum(each.human_tokens for each in of_seeds[0][1 : generation + 1]):,}",
            *_cells([chain[: generation + 1] for chain in of_seeds]),
        ]
        for name, of_seeds in chains.items()
        for generation in range(len(of_seeds[0]))
    ]
    return _markdown(head, rows)


def _cells(chains: Sequence[Chain]) -> Iterable[str]:
    for name, measure in MEASURES.items():
        yield f"{measured(name, chains):.{measure.digits}f}"


def _alarms(chains: Sequence[Chain]) -> str:
    steps = [alarm_step(chain) for chain in chains]
    return ", ".join("none" if math.isinf(step) else f"{step:.0f}" for step in steps)


def _markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
