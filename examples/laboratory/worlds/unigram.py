"""Words drawn one by one, with shares after Zipf: types die, a cool sampler starves the tail."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from collapse_guard import Decoding, Threshold
from collapse_guard.examples.laboratory.chain import Chain, run_chain
from collapse_guard.examples.laboratory.decoded import decoded, is_tail, zipf
from collapse_guard.examples.laboratory.drift import survival
from collapse_guard.examples.laboratory.experiment import Chart, Effort, Experiment, finding
from collapse_guard.examples.laboratory.published import Finding
from collapse_guard.examples.laboratory.regimes import REGIMES, mix
from collapse_guard.examples.laboratory.world import Floats, Rows

_NAME = "unigram"


@dataclass(frozen=True)
class Unigram:
    """Rows are single tokens; a model is the share of each type, and writes through a sampler.

    Attributes:
        types: How many, with shares in proportion to 1 / rank.
        temperature: With which a model's tokens are drawn.
        top_k: Cut of the sampler, or None.
        watched: Ranks, from 1, of types whose survival is read one by one.
    """

    types: int = 200
    temperature: float = 1.0
    top_k: int | None = None
    watched: tuple[int, ...] = ()

    @property
    def meanings(self) -> Mapping[str, str]:
        """As of `World`."""
        return {
            "tail_mass": "mass on the rarest types that hold 10% of human tokens",
            "heterozygosity": "probability that two tokens of the model differ",
            "types_left": "number of types that the model can still write",
            **{f"alive_{rank}": f"whether type {rank} is left" for rank in self.watched},
        }

    def human(self, rows: int, replicates: int, generator: np.random.Generator) -> Rows:
        """As of `World`."""
        return generator.choice(self.types, size=(rows, replicates), p=zipf(self.types))

    def fit(self, rows: Rows) -> Floats:
        """As of `World`: shares, float64 of shape (replicates, types)."""
        places = rows + self.types * np.arange(rows.shape[1])
        counts = np.bincount(places.ravel(), minlength=self.types * rows.shape[1])
        return counts.reshape(-1, self.types) / len(rows)

    def sample(self, model: Floats, rows: int, generator: np.random.Generator) -> Rows:
        """As of `World`."""
        sampler = Decoding(self.temperature, top_k=self.top_k)
        counts = generator.multinomial(rows, decoded(model, sampler))
        tokens = [np.repeat(np.arange(self.types), each) for each in counts]
        return generator.permuted(np.stack(tokens, axis=1), axis=0)

    def readings(self, model: Floats) -> Mapping[str, Floats]:
        """As of `World`."""
        return {
            "tail_mass": model[:, is_tail(self.types)].sum(1),
            "heterozygosity": 1 - (model**2).sum(1),
            "types_left": (model > 0).sum(1).astype(np.float64),
            **{f"alive_{rank}": (model[:, rank - 1] > 0) * 1.0 for rank in self.watched},
        }


def fixed_point_path(
    human: Floats, human_fraction: float, temperature: float, generations: int
) -> list[Floats]:
    """The law of each generation where rows are without end.

    p <- f p* + (1 - f) p^(1/T) / Z, from the human law p*.
    """
    laws = [human]
    for _ in range(generations - 1):
        sharpened = laws[-1] ** (1 / temperature)
        laws.append(human_fraction * human + (1 - human_fraction) * sharpened / sharpened.sum())
    return laws


def experiment(effort: Effort) -> Experiment:
    """Drift at temperature 1, fixed points at 0.8, and a top-k cut."""
    findings, generations = _drift(effort), 25
    types, rows, cool = 200, 20_000, Unigram(temperature=0.8)
    regimes = {"replace": (REGIMES["replace"], 0.0)} | {
        f"{f:.0%} human": (mix(f), f) for f in (0.1, 0.3, 0.5)
    }
    tail = is_tail(types)
    chains: dict[str, Chain] = {}
    theory: dict[str, list[float]] = {}
    for name, (regime, f) in regimes.items():
        chains[name] = run_chain(
            cool,
            regime,
            generations=generations,
            rows=rows,
            replicates=effort.replicates(40),
            seed=effort.seed,
            rules=[Threshold("tail_mass", below=0.7, relative_to_start=True)],
        )
        path = fixed_point_path(zipf(types), f, 0.8, 400)
        theory[name] = [float(law[tail].sum()) for law in path[:generations]]
        if f:
            at_rest, measured = path[-1], chains[name].estimate("tail_mass", generations)
            findings += [
                finding(
                    _NAME,
                    f"tail mass at T 0.8 with {f:.0%} human rows, n = {generations}",
                    "fixed point of p = f p* + (1-f) p^(1/T)/Z",
                    float(at_rest[tail].sum()),
                    measured,
                ),
            ]
    findings += [
        finding(
            _NAME,
            "the same over the human tail mass, with 30% human rows: about f",
            "f, for types that are rare enough",
            0.3,
            chains["30% human"].estimate("tail_mass", generations),
            unit=float(zipf(types)[tail].sum()),
        ),
        _cut(effort),
    ]
    return Experiment(
        findings,
        Chart(chains, ["tail_mass"], {"tail_mass": theory}),
        notes=[
            "A tail of 90 types among 200 keeps more than f of itself at the fixed point: what the "
            "sampler leaves of it, p^(1/T - 1)/Z of each type, is no small part yet. f is its "
            "limit for rare types."
        ],
    )


def _drift(effort: Effort) -> list[Finding]:
    types, rows, generations, watched = 100, 100, 20, (5, 20, 80)
    chain = run_chain(
        Unigram(types, watched=watched),
        REGIMES["replace"],
        generations=generations,
        rows=rows,
        replicates=effort.replicates(8_000),
        seed=effort.seed,
    )
    human = zipf(types)
    one = [
        finding(
            _NAME,
            f"survival of a type of share {human[rank - 1]:.4f}, one generation, M = {rows}",
            "1 - (1 - w)^M",
            float(1 - (1 - human[rank - 1]) ** rows),
            chain.estimate(f"alive_{rank}", 1),
        )
        for rank in watched
    ]
    later = [
        finding(
            _NAME,
            f"survival of a type of share {human[4]:.4f}, n = {generations}, M = {rows}",
            "Wright-Fisher Markov chain",
            survival(human[4], rows, generations),
            chain.estimate("alive_5", generations),
        ),
        finding(
            _NAME,
            f"types left of {types}, T = 1, n = {generations}, M = {rows}",
            "Wright-Fisher Markov chain",
            sum(survival(share, rows, generations) for share in human),
            chain.estimate("types_left", generations),
        ),
        finding(
            _NAME,
            f"probability that two tokens differ, T = 1, n = {generations}, M = {rows}",
            "(1 - sum p^2) (1 - 1/M)^n",
            float(1 - (human**2).sum()) * (1 - 1 / rows) ** generations,
            chain.estimate("heterozygosity", generations),
        ),
    ]
    return one + later


def _cut(effort: Effort) -> Finding:
    """Types that a cut takes away live on human rows alone, and on no more than their share."""
    types, f = 200, 0.3
    chain = run_chain(
        Unigram(types, top_k=50),
        mix(f),
        generations=10,
        rows=5_000,
        replicates=effort.replicates(200),
        seed=effort.seed,
    )
    return finding(
        _NAME,
        "tail mass at top-k 50 with 30% human rows, n = 10",
        "f times the human tail mass",
        f * float(zipf(types)[is_tail(types)].sum()),
        chain.estimate("tail_mass", 10),
    )
