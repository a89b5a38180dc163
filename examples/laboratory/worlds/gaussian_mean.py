"""The mean of a normal law of known variance: the best weight of human rows is golden."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from collapse_guard.examples.laboratory.chain import Chain, run_chain
from collapse_guard.examples.laboratory.experiment import Chart, Effort, Experiment, finding
from collapse_guard.examples.laboratory.published import Finding
from collapse_guard.examples.laboratory.regimes import REGIMES, Regime, weighted
from collapse_guard.examples.laboratory.world import Floats, Rows
from collapse_guard.mixing.floor import golden_fraction
from collapse_guard.statistics.estimates import document_mean, jackknife

GOLDEN = "He, Xu and Cheng (arXiv 2502.18049)"
_ROWS, _GENERATIONS, _SETTLED = 100, 12, 6
# From far below every golden weight that is tried to far above it, and centred on none.
WEIGHTS = np.arange(0.25, 0.96, 0.05).round(2).tolist()
"""Weights that are tried."""


@dataclass(frozen=True)
class GaussianMean:
    """Human rows are standard normal; a model is their mean, and writes with variance 1."""

    @property
    def meanings(self) -> Mapping[str, str]:
        """As of `World`."""
        return {"squared_error": "square of the distance of the model's mean from the human one"}

    def human(self, rows: int, replicates: int, generator: np.random.Generator) -> Rows:
        """As of `World`."""
        return generator.standard_normal((rows, replicates))

    def fit(self, rows: Rows) -> Floats:
        """As of `World`: the mean, float64 of shape (replicates,)."""
        return np.asarray(rows.mean(0), np.float64)

    def sample(self, model: Floats, rows: int, generator: np.random.Generator) -> Rows:
        """As of `World`."""
        return model + generator.standard_normal((rows, len(model)))

    def readings(self, model: Floats) -> Mapping[str, Floats]:
        """As of `World`."""
        return {"squared_error": model**2}


def expected_errors(
    weight: float, human: int, written: int, generations: int = _GENERATIONS
) -> list[float]:
    """The expected squared error after each generation.

    e' = w^2 / human + (1 - w)^2 (1 / written + e), and the first is 1 / human. It settles at
    (w^2 / human + (1 - w)^2 / written) / (1 - (1 - w)^2), which the golden weight makes least.
    """
    errors = [1 / human]
    for _ in range(generations - 1):
        errors.append(weight**2 / human + (1 - weight) ** 2 * (1 / written + errors[-1]))
    return errors


def best_weight(errors: Sequence[Floats] | Floats) -> float:
    """The weight at which a smooth curve through the logarithms of mean errors is least.

    Args:
        errors: Of replicates, each float64 of shape (weights,).
    """
    mean = np.log(np.mean(errors, axis=0))
    fitted = np.polynomial.Polynomial.fit(WEIGHTS, mean, 6)
    fine = np.linspace(WEIGHTS[0], WEIGHTS[-1], 7001)
    return float(fine[int(np.argmin(fitted(fine)))])


def experiment(effort: Effort) -> Experiment:
    """The error at many weights, for a quarter, once and four times as many human rows."""
    findings = [_found(k, effort) for k in (0.25, 1.0, 4.0)]
    golden = float(golden_fraction(_ROWS, _ROWS))
    named = {"golden": weighted("golden"), "weight 0.3": weighted(0.3), "human": REGIMES["human"]}
    chains = {
        name: _chain(regime, _ROWS, effort)
        for name, regime in {**named, "replace": REGIMES["replace"]}.items()
    }
    weights = {"golden": golden, "weight 0.3": 0.3, "human": 1.0, "replace": 0.0}
    theory = {name: expected_errors(weight, _ROWS, _ROWS) for name, weight in weights.items()}
    findings += [
        finding(
            "Gaussian mean",
            f"mean error of generations {_SETTLED + 1} to {_GENERATIONS}, {name}, M = {_ROWS}, "
            "in units of 1/M",
            source,
            float(np.mean(theory[name][_SETTLED:])) * _ROWS,
            document_mean(_settled(chains[name])),
            unit=1 / _ROWS,
        )
        for name, source in (("golden", GOLDEN), ("weight 0.3", GOLDEN), ("replace", "n"))
    ]
    chart = Chart(chains, ["squared_error"], {"squared_error": theory}, ["squared_error"])
    return Experiment(findings, chart)


def _found(k: float, effort: Effort) -> Finding:
    """The weight that simulation finds best for k human rows to each written one."""
    human = round(k * _ROWS)
    errors = np.stack(
        [_settled(_chain(weighted(weight), human, effort)) for weight in WEIGHTS],
        axis=1,
    )
    value, error = jackknife(best_weight, list(errors))
    return Finding(
        "Gaussian mean",
        f"best weight of human rows, {k:g} to each written one",
        f"(sqrt(k^2 + 4k) - k) / 2, {GOLDEN}",
        float(golden_fraction(human, _ROWS)),
        value,
        error,
        # A jackknife over 20 groups knows its error to 19 degrees of freedom.
        20,
    )


def _settled(chain: Chain) -> Floats:
    """The mean error of each replicate once it has settled."""
    return np.asarray(chain.values["squared_error"][_SETTLED:].mean(0), np.float64)


def _chain(regime: Regime, human: int, effort: Effort) -> Chain:
    return run_chain(
        GaussianMean(),
        regime,
        generations=_GENERATIONS,
        rows=_ROWS,
        human_rows=human,
        replicates=effort.replicates(2_000),
        seed=effort.seed,
    )
