"""What is compared of a chain: a number for each measure, of its last generation."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from collapse_guard.examples.over_seeds import Interval, over_seeds
from collapse_guard.examples.recursive_finetune.results import GenerationResult
from collapse_guard.examples.recursive_finetune.stopping import first_alarm

Chain = Sequence[GenerationResult]

Chains = Mapping[str, Sequence[Chain]]
"""Chains by regime, one for each seed."""


@dataclass(frozen=True)
class Measure:
    """One number of a chain.

    Attributes:
        title: A column's head.
        of: From a chain, the start first, to the number; NaN where there is none.
        digits: After the point.
    """

    title: str
    of: Callable[[Chain], float]
    digits: int = 2


def measured(name: str, chains: Sequence[Chain]) -> Interval:
    """A measure of one regime's chains, over seeds.

    Args:
        name: Out of `MEASURES`.
        chains: One for each seed.
    """
    return over_seeds([MEASURES[name].of(chain) for chain in chains])


def ranked(chains: Chains) -> list[str]:
    """Regimes from the one that keeps most to the one that keeps least."""
    return sorted(chains, key=lambda name: -measured("kept", chains[name]).mean)


def reading(name: str) -> Callable[[Chain], float]:
    """A reading of the last generation."""
    return lambda chain: chain[-1].readings.get(name, math.nan)


def over_start(name: str) -> Callable[[Chain], float]:
    """A reading of the last generation, over the start's."""
    of = reading(name)
    return lambda chain: of(chain) / of(chain[:1])


def kept(chain: Chain) -> float:
    """The least of what is kept: of tail, head, and the variety of its own text, 1 at most.

    A regime is as good as the worst of the three: keeping two of them is easy.
    """
    return min(1.0, *(of(chain) for of in _KEPT))


def human_tokens(chain: Chain) -> float:
    """Share of the trained tokens of all generations after the start that people wrote."""
    trained = sum(each.trained_tokens for each in chain[1:])
    return sum(each.human_tokens for each in chain[1:]) / trained if trained else math.nan


def alarm_step(chain: Chain) -> float:
    """Training steps to the first alarm; infinite where there is none."""
    step = first_alarm(chain)
    return math.inf if step is None else float(step)


_KEPT = (reading("tail_retention"), reading("head_retention"), lambda chain: _variety(chain))


def _variety(chain: Chain) -> float:
    return chain[-1].distinct_2 / chain[0].distinct_2


MEASURES: Mapping[str, Measure] = MappingProxyType(
    {
        "kept": Measure("least kept", kept),
        "tail": Measure("tail retention", reading("tail_retention")),
        "head": Measure("head retention", reading("head_retention")),
        "words": Measure("rare words", reading("rare_word_retention")),
        "perplexity": Measure("perplexity / start", over_start("perplexity")),
        "vocabulary": Measure("effective vocabulary / start", over_start("effective_vocabulary")),
        "distinct": Measure("own distinct-2 / start", _variety),
        "self_bleu": Measure("own self-BLEU", reading("free_self_bleu")),
        "loops": Measure("own rep-n diversity", reading("free_rep_n_diversity")),
        "entropy": Measure("entropy on its own text", lambda chain: chain[-1].own_entropy),
        "human": Measure("human share of tokens", human_tokens),
    }
)
"""Every measure, in the order of the table."""
