"""Sentences in which a word follows from the last: a cool sampler narrows most where it writes."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from collapse_guard import Decoding, Threshold
from collapse_guard.examples.laboratory.chain import run_chains
from collapse_guard.examples.laboratory.decoded import chosen, decoded, entropies, is_tail, zipf
from collapse_guard.examples.laboratory.experiment import Chart, Effort, Experiment, finding
from collapse_guard.examples.laboratory.regimes import REGIMES, mix
from collapse_guard.examples.laboratory.world import Floats, Rows


@dataclass(frozen=True)
class Chains:
    """Laws of the first token and of the next one.

    Attributes:
        start: float64 of shape (replicates, types).
        transition: float64 of shape (replicates, types, types), by the last token.
    """

    start: Floats
    transition: Floats


@dataclass(frozen=True)
class Bigram:
    """Rows are sentences of tokens; a model is the shares of first tokens and of transitions.

    Attributes:
        types: How many.
        length: Tokens of a sentence.
        temperature: With which a model's tokens are drawn.
        seed: Of the human law: transitions in proportion to 1 / rank, in an order of its own for
            each type.
    """

    types: int = 12
    length: int = 16
    temperature: float = 0.8
    seed: int = 0

    @property
    def meanings(self) -> Mapping[str, str]:
        """As of `World`."""
        return {
            "rare_transitions": "mass on the rarest human transitions, at human contexts",
            "entropy_at_human": "entropy of the next token at human contexts, in nats",
            "entropy_at_own": "entropy of the next token where the model writes, in nats",
        }

    @property
    def law(self) -> Chains:
        """The human law, as one replicate."""
        generator = np.random.default_rng(self.seed)
        every = np.stack([generator.permutation(zipf(self.types)) for _ in range(self.types)])
        return Chains(zipf(self.types)[None], every[None])

    def human(self, rows: int, replicates: int, generator: np.random.Generator) -> Rows:
        """As of `World`."""
        law = self.law
        every = np.broadcast_to(law.transition, (replicates, self.types, self.types))
        return self._written(
            Chains(np.broadcast_to(law.start, (replicates, self.types)), every), rows, generator
        )

    def fit(self, rows: Rows) -> Chains:
        """As of `World`; a context that no row holds backs off to how often types follow at all."""
        replicates = rows.shape[1]
        of = np.arange(replicates)[:, None]
        pairs = (of * self.types + rows[..., :-1]) * self.types + rows[..., 1:]
        counts = np.bincount(pairs.ravel(), minlength=replicates * self.types**2)
        starts = np.bincount(
            (of[:, 0] * self.types + rows[..., 0]).ravel(), minlength=replicates * self.types
        )
        table = counts.reshape(replicates, self.types, self.types).astype(np.float64)
        following = np.broadcast_to(table.sum(1, keepdims=True), table.shape)
        table = np.where(table.sum(-1, keepdims=True) > 0, table, following)
        return Chains(
            starts.reshape(replicates, self.types) / len(rows), table / table.sum(-1, keepdims=True)
        )

    def sample(self, model: Chains, rows: int, generator: np.random.Generator) -> Rows:
        """As of `World`."""
        return self._written(self.drawn(model), rows, generator)

    def readings(self, model: Chains) -> Mapping[str, Floats]:
        """As of `World`."""
        law = self.law
        each = entropies(model.transition)
        at_human = self.contexts(law)
        tail = law.transition <= zipf(self.types)[is_tail(self.types)].max()
        rare = np.where(tail, model.transition, 0.0).sum(-1)
        return {
            "rare_transitions": (at_human * rare).sum(-1),
            "entropy_at_human": (at_human * each).sum(-1),
            "entropy_at_own": (self.contexts(self.drawn(model)) * each).sum(-1),
        }

    def drawn(self, model: Chains) -> Chains:
        """The law of what the model writes through its sampler."""
        sampler = Decoding(self.temperature)
        flat = model.transition.reshape(-1, self.types)
        return Chains(
            decoded(model.start, sampler),
            decoded(flat, sampler).reshape(model.transition.shape),
        )

    def contexts(self, law: Chains) -> Floats:
        """How often each type is the last token, of shape (replicates, types): shares."""
        at, total = law.start, np.zeros_like(law.start)
        for _ in range(self.length - 1):
            total = total + at
            at = (at[:, None] @ law.transition)[:, 0]
        return total / (self.length - 1)

    def _written(self, law: Chains, rows: int, generator: np.random.Generator) -> Rows:
        of = np.arange(len(law.start))
        bounds = np.cumsum(law.transition, axis=-1)
        first = np.broadcast_to(np.cumsum(law.start, axis=-1), (rows, *law.start.shape))
        tokens = np.empty((rows, len(of), self.length), np.int64)
        for place in range(self.length):
            least = bounds[of, tokens[..., place - 1]] if place else first
            tokens[..., place] = chosen(least, generator)
        return tokens


def path(world: Bigram, human_fraction: float, generations: int) -> list[Chains]:
    """The laws of each generation where rows are without end.

    As for single words, but with the flow J of pairs, which weighs each context by how often it is
    written: J <- f J* + (1 - f) J(tempered law), and the law is J over its rows' sums.
    """
    human = world.law
    laws = [human]
    for _ in range(generations - 1):
        drawn = world.drawn(laws[-1])
        flow, start = (
            human_fraction * ours + (1 - human_fraction) * theirs
            for ours, theirs in (
                (_flow(world, human), _flow(world, drawn)),
                (human.start, drawn.start),
            )
        )
        laws.append(Chains(start, flow / flow.sum(-1, keepdims=True)))
    return laws


def _flow(world: Bigram, law: Chains) -> Floats:
    return np.asarray(world.contexts(law)[..., None] * law.transition, np.float64)


def experiment(effort: Effort) -> Experiment:
    """Sentences drawn at temperature 0.8, with and without human rows."""
    world, generations, name = Bigram(), 20, "bigram"
    regimes = {
        "human": (REGIMES["human"], 1.0),
        "replace": (REGIMES["replace"], 0.0),
        "mix": (mix(0.3), 0.3),
    }
    chains = run_chains(
        world,
        {label: regime for label, (regime, _) in regimes.items()},
        generations=generations,
        rows=2_000,
        replicates=effort.replicates(40),
        seed=effort.seed,
        rules=[Threshold("rare_transitions", below=0.7, relative_to_start=True)],
    )
    read = {
        label: [world.readings(law) for law in path(world, f, generations)]
        for label, (_, f) in regimes.items()
    }
    theory = {
        reading: {label: [float(each[reading][0]) for each in read[label]] for label in regimes}
        for reading in world.meanings
    }
    mixed = chains["mix"]
    findings = [
        finding(
            name,
            f"{words} at T 0.8 with 30% human rows, n = {generations}",
            "J <- f J* + (1-f) J_T",
            theory[reading]["mix"][-1],
            mixed.estimate(reading, generations),
        )
        for reading, words in (
            ("rare_transitions", "mass on rare transitions"),
            ("entropy_at_human", "entropy at human contexts"),
            ("entropy_at_own", "entropy where it writes"),
        )
    ]
    findings.append(
        finding(
            name,
            "entropy where it writes lies below that at human contexts (30% human rows, T 0.8)",
            "human rows mend only where human text goes",
            mixed.estimate("entropy_at_human", generations).value,
            mixed.estimate("entropy_at_own", generations),
            relation="below",
        )
    )
    return Experiment(findings, Chart(chains, tuple(theory), theory))
