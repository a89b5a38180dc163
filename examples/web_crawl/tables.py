"""What the simulation and the costs come to, as rows of tables."""

from collections.abc import Iterator
from dataclasses import replace

from collapse_guard.examples.web_crawl.cost import Corpus, passes
from collapse_guard.examples.web_crawl.crawl import (
    NARROWING,
    Assumptions,
    least_floor,
    lost_after,
    simulate,
)

GENERATIONS = 20
TRAININGS = {
    "plain": Assumptions(),
    "floor 0.3": Assumptions(floor=0.3),
    "half matched": Assumptions(matched=0.5),
    "0.9 matched": Assumptions(matched=0.9),
    "0.9 matched, floor 0.3": Assumptions(matched=0.9, floor=0.3),
    "all matched": Assumptions(matched=1.0),
}
"""Ways to train on the newest crawl, written at temperature 0.8."""

SHARES = (0.1, 0.3, 0.5, 0.7, 0.9)
"""Shares of model text among new text."""


def tails(memory: int | None) -> Iterator[tuple[object, ...]]:
    """By the share of model text: the tail of the models of the last generation, and of the web.

    Args:
        memory: Generations of crawls that models are trained on; None for all of the web.
    """
    for share in SHARES:
        last = [
            list(simulate(replace(training, share=share, memory=memory), GENERATIONS))[-1]
            for training in TRAININGS.values()
        ]
        web = f"{last[0].web:.2f} to {last[-1].web:.2f}"
        yield (f"{share:.1f}", *(f"{one.model:.2f}" for one in last), web)


def losses(target: float = 0.9) -> Iterator[tuple[object, ...]]:
    """By the share of model text: the first generation whose model has less of the tail than that.

    Args:
        target: The tail, beside that of human text.
    """
    for share in SHARES:
        webs = [replace(training, share=share, memory=1) for training in TRAININGS.values()]
        found = [lost_after(web, 1_000, target) for web in webs]
        yield (f"{share:.1f}", *("never" if one is None else one for one in found))


def floors(target: float = 0.9) -> Iterator[tuple[object, ...]]:
    """By the sampler: the human share of the training that keeps so much of the tail in the end."""
    for sampler, narrowing in NARROWING.items():
        found = (
            least_floor(Assumptions(narrowing=narrowing, matched=matched), target)
            for matched in (0.0, 0.5, 0.9, 1.0)
        )
        yield (sampler, f"{narrowing:.2f}", *(f"{one:.2f}" for one in found))


def costs(nodes: int = 16) -> Iterator[tuple[object, ...]]:
    """By pass: what a terabyte and all of a corpus of 15 trillion tokens take."""
    corpus = Corpus()
    for each in passes(corpus, nodes):
        yield (
            each.name,
            f"{each.rate / 1e6:,.0f}",
            f"{each.hours_per_terabyte(corpus):.2f}",
            f"{each.node_hours(corpus) / nodes:,.1f}",
            f"{each.travels(corpus, nodes) / 1e9:,.1f}",
        )
