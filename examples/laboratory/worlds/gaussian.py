"""A normal law in one dimension: its variance dies, and its mean wanders off."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from collapse_guard import Threshold
from collapse_guard.examples.laboratory.chain import run_chain, run_chains
from collapse_guard.examples.laboratory.experiment import Chart, Effort, Experiment, finding
from collapse_guard.examples.laboratory.published import Finding
from collapse_guard.examples.laboratory.regimes import REGIMES
from collapse_guard.examples.laboratory.world import Floats, Rows

NATURE = "Shumailov et al. 2024 (Nature 631:755)"


@dataclass(frozen=True)
class Normal:
    """A mean and a variance for each replicate, float64 of shape (replicates,)."""

    mean: Floats
    variance: Floats


@dataclass(frozen=True)
class Gaussian:
    """Human rows are standard normal; a model is their mean and their variance.

    Attributes:
        divisor: Of the sum of squares: the number of rows M for maximum likelihood, M - 1 for the
            estimate of the variance without bias.
    """

    divisor: Literal["M", "M - 1"] = "M"

    @property
    def meanings(self) -> Mapping[str, str]:
        """As of `World`."""
        return {
            "variance": "variance of the model's law",
            "log_variance": "its logarithm",
            "squared_mean": "square of the distance of the model's mean from the human one",
        }

    def human(self, rows: int, replicates: int, generator: np.random.Generator) -> Rows:
        """As of `World`."""
        return generator.standard_normal((rows, replicates))

    def fit(self, rows: Rows) -> Normal:
        """As of `World`."""
        return Normal(rows.mean(0), rows.var(0, ddof=0 if self.divisor == "M" else 1))

    def sample(self, model: Normal, rows: int, generator: np.random.Generator) -> Rows:
        """As of `World`."""
        noise = generator.standard_normal((rows, len(model.mean)))
        return model.mean + np.sqrt(model.variance) * noise

    def readings(self, model: Normal) -> Mapping[str, Floats]:
        """As of `World`."""
        return {
            "variance": model.variance,
            "log_variance": np.log(model.variance),
            "squared_mean": model.mean**2,
        }


def moments(rows: int, human: int, generations: int) -> tuple[list[float], list[float]]:
    """The expected variance (maximum likelihood) and squared mean after each generation.

    Of M rows h are standard normal and s = M - h come from the last model, whose mean has the
    second moment q and whose variance is v in expectation. Then the mean of the rows has the second
    moment q' = (h + s v + s^2 q) / M^2, and v' = (h + s (v + q)) / M - q'. With h = 0 and
    v_1 = 1 - 1/M that is v = (1 - 1/M)^n and q = 1 - (1 - 1/M)^n.

    Args:
        rows: M.
        human: h; of the first generation all rows are human.
        generations: How many values to give.
    """
    variances, squares = [1 - 1 / rows], [1 / rows]
    written = rows - human
    for _ in range(generations - 1):
        v, q = variances[-1], squares[-1]
        squares.append((human + written * v + written**2 * q) / rows**2)
        variances.append((human + written * (v + q)) / rows - squares[-1])
    return variances, squares


def log_variance(rows: int) -> float:
    """What a generation adds to the expected logarithm of the variance without bias.

    Of chi-squared with m = M - 1 degrees of freedom over m: digamma(m / 2) - log(m / 2).
    """
    half = (rows - 1) / 2
    return float(torch.special.digamma(torch.tensor(half, dtype=torch.float64))) - float(
        np.log(half)
    )


def experiment(effort: Effort) -> Experiment:
    """Chains of 20 rows, and one of 100."""
    rows, generations, replicates = 20, 20, effort.replicates(20_000)
    floors = {"human": rows, "replace": 0, "mix": 6}
    chains = run_chains(
        Gaussian(),
        {name: REGIMES[name] for name in floors},
        generations=generations,
        rows=rows,
        replicates=replicates,
        seed=effort.seed,
        rules=[Threshold("variance", below=0.8, relative_to_start=True)],
    )
    theory = {name: moments(rows, human, generations) for name, human in floors.items()}
    wide = run_chain(
        Gaussian(),
        REGIMES["replace"],
        generations=50,
        rows=100,
        replicates=effort.replicates(8_000),
        seed=effort.seed,
    )
    unbiased = run_chain(
        Gaussian("M - 1"),
        REGIMES["replace"],
        generations=generations,
        rows=rows,
        replicates=replicates,
        seed=effort.seed,
    )
    replaced, name = chains["replace"], "Gaussian"
    findings = [
        finding(
            name,
            f"variance (maximum likelihood), M = {m}, n = {n}",
            "(1 - 1/M)^n",
            (1 - 1 / m) ** n,
            chain.estimate("variance", n),
        )
        for chain, m, n in ((replaced, rows, 5), (replaced, rows, 20), (wide, 100, 50))
    ]
    findings += [
        finding(
            name,
            "variance (without bias), M = 20, n = 10, stays at 1",
            NATURE,
            1.0,
            unbiased.estimate("variance", 10),
        ),
        finding(
            name,
            "its mean logarithm falls all the same, M = 20, n = 20",
            "n (digamma((M-1)/2) - log((M-1)/2))",
            generations * log_variance(rows),
            unbiased.estimate("log_variance", generations),
        ),
        finding(
            name,
            "spread of means (without bias), M = 20, n = 20",
            f"n/M, {NATURE}",
            generations / rows,
            unbiased.estimate("squared_mean", generations),
        ),
        finding(
            name,
            "spread of means (maximum likelihood), M = 20, n = 20, taken for n/M too",
            "n/M",
            generations / rows,
            replaced.estimate("squared_mean", generations),
        ),
        finding(
            name,
            "spread of means (maximum likelihood), M = 20, n = 20",
            "1 - (1 - 1/M)^n",
            1 - (1 - 1 / rows) ** generations,
            replaced.estimate("squared_mean", generations),
        ),
        finding(
            name,
            "variance with 30% human rows, M = 20, n = 20",
            "recursion of moments",
            theory["mix"][0][-1],
            chains["mix"].estimate("variance", generations),
        ),
    ]
    findings.append(
        Finding(
            name,
            "least share of human rows that a generation was shown, at a floor of 30%",
            "MixGuard's floor: ceil(f M) of M rows",
            0.3,
            min(chains["mix"].human_shares),
            0.0,
            generations,
        )
    )
    curves = {
        reading: {chain: theory[chain][place] for chain in floors}
        for place, reading in enumerate(("variance", "squared_mean"))
    }
    return Experiment(
        findings,
        Chart(chains, tuple(curves), curves),
        notes=[
            "Means do not spread as n/M where the variance is fitted by maximum likelihood: each "
            "step is as wide as what is left of the variance, so that they spread as "
            "1 - (1 - 1/M)^n, and never further than 1. n/M is its beginning, and exact for a "
            "variance without bias."
        ],
    )
