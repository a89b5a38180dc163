"""A web that grows by human and by model text, and the models that are trained on it.

All is told by one number, the *tail*: the probability of rare contents beside that in human text.
A model writes `narrowing` times the tail that it has learned, which is what its sampler leaves
(1 for sampling from the whole law at temperature 1). A model learns the tail of what it is trained
on; where its loss undoes the sampler, model text counts with the tail of the law that wrote it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from collapse_guard.arguments import check_fields, optional, real, whole

NARROWING = {
    "temperature 1": 1.0,
    "temperature 0.9": 0.84,
    "top-p 0.9": 0.82,
    "temperature 0.8": 0.68,
    "top-k 50": 0.53,
}
"""What a sampler leaves of the tail in one generation: medians of the laboratory's real model,
trained on nothing but such text (tests/benchmarks/RESULTS.md)."""


@dataclass(frozen=True)
class Assumptions:
    """What the web is taken to be. Amounts are shares of the human text that there is at first.

    Attributes:
        human: New human text of each generation, at least 0.
        share: Share of model text among new text, from 0 to below 1.
        narrowing: What a model writes of the tail that it has learned, above 0 and at most 1.
        memory: Generations of crawls that a model is trained on; None for all of the web.
        floor: Least human share of what a model is trained on, from 0 to 1.
        matched: Share of model text whose sampler is known or found, and undone by the loss.
    """

    human: float = 0.05
    share: float = 0.5
    narrowing: float = NARROWING["temperature 0.8"]
    memory: int | None = None
    floor: float = 0.0
    matched: float = 0.0

    def __post_init__(self) -> None:
        share = real(least=0, most=1, what="a share", hint="leave it out")
        check_fields(
            self,
            human=real(least=0, hint="0.05 is the default"),
            share=real(least=0, below=1, what="a share", hint="some new text has to be human"),
            narrowing=real(above=0, most=1, what="a share", hint="1 narrows nothing"),
            memory=optional(whole(least=1, hint="1 is the newest crawl alone")),
            floor=share,
            matched=share,
        )


class Generation(NamedTuple):
    """One generation of the web, after its text was written.

    Attributes:
        human_share: Human share of the whole web.
        web: Tail of the whole web.
        new: Tail of the text of this generation.
        model: Tail that the model has learned which wrote in it.
    """

    human_share: float
    web: float
    new: float
    model: float


class _Crawl(NamedTuple):
    human: float
    synthetic: float
    learned: float
    written: float


def simulate(assumptions: Assumptions, generations: int) -> Iterator[Generation]:
    """The web, generation by generation.

    Args:
        assumptions: What holds in all of them.
        generations: How many.

    Example:
        >>> last = list(simulate(Assumptions(share=0.9, memory=1), 40))[-1]
        >>> round(last.model, 3), round(steady(Assumptions(share=0.9, memory=1)), 3)
        (0.258, 0.258)
    """
    crawls = [_Crawl(1.0, 0.0, 1.0, 1.0)]
    for _ in range(generations):
        seen = crawls if assumptions.memory is None else crawls[-assumptions.memory :]
        learned = _learned(seen, assumptions)
        synthetic = assumptions.human * assumptions.share / (1 - assumptions.share)
        crawl = _Crawl(assumptions.human, synthetic, learned, assumptions.narrowing * learned)
        crawls.append(crawl)
        human, model = sum(one.human for one in crawls), sum(one.synthetic for one in crawls)
        written = sum(one.synthetic * one.written for one in crawls)
        new = (crawl.human + crawl.synthetic * crawl.written) / (crawl.human + crawl.synthetic)
        yield Generation(human / (human + model), (human + written) / (human + model), new, learned)


def _learned(seen: list[_Crawl], assumptions: Assumptions) -> float:
    synthetic = sum(one.synthetic for one in seen)
    if not synthetic:
        return 1.0
    human = sum(one.human for one in seen)
    share = max(assumptions.floor, human / (human + synthetic))
    counts = sum(
        one.synthetic
        * (assumptions.matched * one.learned + (1 - assumptions.matched) * one.written)
        for one in seen
    )
    return share + (1 - share) * counts / synthetic


def steady(assumptions: Assumptions) -> float:
    """The tail that models come to in the end where they are trained on the newest crawl.

    With a share s of model text in the training, matched share m and narrowing r it is g with
    g = 1 - s + s (m + (1 - m) r) g.

    Args:
        assumptions: Their `memory` is taken to be 1.
    """
    share = min(assumptions.share, 1 - assumptions.floor)
    passed = assumptions.matched + (1 - assumptions.matched) * assumptions.narrowing
    return 1.0 if share == 0 else (1 - share) / (1 - share * passed)


def least_floor(assumptions: Assumptions, target: float) -> float:
    """The human share of the training that keeps this much of the tail in the end.

    Args:
        assumptions: Their `share` and `floor` do not matter.
        target: What is to be kept, above 0 and below 1.

    Example:
        >>> plain = Assumptions(narrowing=0.68)
        >>> round(least_floor(plain, 0.9), 2), round(steady(Assumptions(share=0.25)), 2)
        (0.74, 0.9)
    """
    passed = assumptions.matched + (1 - assumptions.matched) * assumptions.narrowing
    # g = f / (1 - (1 - f) passed), solved for f.
    return target * (1 - passed) / (1 - target * passed)


def lost_after(assumptions: Assumptions, generations: int, target: float) -> int | None:
    """The first generation whose model has less of the tail; None where all have more.

    Args:
        assumptions: What holds in all of them.
        generations: How many are looked at.
        target: Such as 0.5.
    """
    found = simulate(assumptions, generations)
    return next((number for number, one in enumerate(found, 1) if one.model < target), None)
