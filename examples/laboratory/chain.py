"""Generations of one world in one regime, for many replicates at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from collapse_guard import Alert, MixGuard, Reading, ReadingKind, Threshold
from collapse_guard.alerts.alarms import Alarms
from collapse_guard.arguments import whole_number
from collapse_guard.examples.laboratory.regimes import REGIMES, Lesson, Recipe, Regime, guard
from collapse_guard.examples.laboratory.world import Floats, Rows, World
from collapse_guard.readings.evidence import Evidence
from collapse_guard.statistics.estimates import Estimate, document_mean

_HUMAN, _WRITTEN = 0, 1


@dataclass(frozen=True)
class Chain:
    """What was read of each generation.

    Attributes:
        values: By the reading's name, float64 of shape (generations, replicates).
        human_shares: The share of human rows that each generation was shown.
        rules: That were held against the mean over replicates.
        alerts: What they told.
    """

    values: Mapping[str, Floats]
    human_shares: tuple[float, ...]
    rules: tuple[Threshold, ...] = ()
    alerts: tuple[Alert, ...] = ()

    def estimate(self, name: str, generation: int) -> Estimate:
        """The mean over replicates after a generation, from 1, with its standard error."""
        return document_mean(self.values[name][generation - 1])

    @property
    def readings(self) -> list[Reading]:
        """A reading for each generation: replicates are what its standard errors are over."""
        return [
            Reading.of(n, {name: self.estimate(name, n) for name in self.values})
            for n in range(1, len(self.human_shares) + 1)
        ]


def run_chain(
    world: World,
    regime: Regime,
    *,
    generations: int,
    rows: int,
    replicates: int,
    seed: int = 0,
    human_rows: int | None = None,
    rules: Sequence[Threshold] = (),
) -> Chain:
    """Fit, sample and fit again.

    The first generation is fitted to human rows, whatever the regime. Chains of one seed share
    their random numbers: human rows are the same in all regimes, and a model that is the same
    writes the same.

    Args:
        world: What is fitted.
        regime: What the second generation and later ones are fitted to.
        generations: At least 1.
        rows: That each generation writes, at least 1.
        replicates: Independent chains, at least 2.
        seed: Of all random numbers, from 0.
        human_rows: Fresh human rows of each generation; as many as `rows` where left out.
        rules: Held with `Alarms` against the means over replicates, with the first generation as
            the start.

    Raises:
        ArgumentError: A number is out of range, or a rule is about something that is not read.
    """
    whole_number("generations", generations, least=1, hint="give e.g. 10")
    whole_number("rows", rows, least=1, hint="give e.g. 100")
    whole_number("replicates", replicates, least=2, hint="give e.g. 400, or no error is known")
    whole_number("seed", seed, least=0, hint="give e.g. 0")
    fresh = rows if human_rows is None else human_rows
    whole_number("human_rows", fresh, least=1, hint="leave it out for as many as rows")
    # A rule about what is not read is refused before anything is fitted.
    alarms = _alarms(rules, world.meanings)
    values: dict[str, list[Floats]] = {name: [] for name in world.meanings}
    shares, first, written = [], None, list[Rows]()
    for generation in range(1, generations + 1):
        human = world.human(fresh, replicates, np.random.default_rng([seed, generation, _HUMAN]))
        first = human if first is None else first
        mix = in_one_block((regime if written else REGIMES["human"])(Lesson(human, first, written)))
        # The rows of all slots, as one array.
        model = world.fit(np.stack(mix.__getitems__(range(len(mix)))))
        for name, value in world.readings(model).items():
            values[name].append(value)
        shares.append(mix.report().human_share)
        written.append(
            world.sample(model, rows, np.random.default_rng([seed, generation, _WRITTEN]))
        )
    chain = Chain(
        {name: np.stack(each) for name, each in values.items()}, tuple(shares), tuple(rules)
    )
    return _told(chain, alarms)


def run_chains(world: World, regimes: Mapping[str, Regime], **arguments: Any) -> dict[str, Chain]:
    """A chain in each of several regimes, with the same random numbers.

    Args:
        world: What is fitted.
        regimes: By the name that the chain is to have.
        arguments: Those of `run_chain`, for all of them.
    """
    return {name: run_chain(world, regime, **arguments) for name, regime in regimes.items()}


def told(chain: Chain, meanings: Mapping[str, str]) -> Chain:
    """The chain with what its rules tell of the means, the first generation being the start.

    Args:
        chain: Without alerts.
        meanings: What each reading is, by its name.

    Raises:
        ArgumentError: A rule is about something that is not read.
    """
    return _told(chain, _alarms(chain.rules, meanings))


def in_one_block(recipe: Recipe) -> MixGuard:
    """The mix of a recipe in which all slots are one block, so that the floor holds to the row."""
    sets = [*recipe.written, *([] if recipe.human is None else [recipe.human])]
    slots = recipe.slots or len(recipe.written[-1])
    # Enough for whatever the recipe asks for.
    most = max(4, -(-slots // min(map(len, sets))))
    return guard(recipe, block_size=slots, length=slots, max_repeats=most)


def _alarms(rules: Sequence[Threshold], meanings: Mapping[str, str]) -> Alarms:
    kinds = [ReadingKind(name, meaning, _by_the_world) for name, meaning in meanings.items()]
    return Alarms(rules, kinds)


def _told(chain: Chain, alarms: Alarms) -> Chain:
    start, *_ = readings = chain.readings
    for reading in readings:
        alarms.check(reading, start)
    return replace(chain, alerts=tuple(alarms.alerts))


def _by_the_world(evidence: Evidence) -> float:
    raise NotImplementedError("a world reads its own models, and no look at a language model does")
