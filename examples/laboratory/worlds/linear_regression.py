"""Linear regression: errors add up where data are replaced, and level off where they accumulate."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from collapse_guard import Threshold
from collapse_guard.examples.laboratory.chain import run_chain
from collapse_guard.examples.laboratory.experiment import Chart, Effort, Experiment, finding
from collapse_guard.examples.laboratory.regimes import REGIMES
from collapse_guard.examples.laboratory.world import Floats, Rows

ACCUMULATE = "Gerstgrasser et al. (arXiv 2404.01413)"
_ROWS, _FEATURES, _GENERATIONS = 89, 7, 10
_PUBLISHED = {"replace": 9.73, "accumulate": 1.544}
_PUBLISHED_RUNS = 400


@dataclass(frozen=True)
class LinearRegression:
    """Labels are a linear function of standard normal features, and noise; least squares fits it.

    A row is its features and, last, its label.

    Attributes:
        features: How many.
        noise: Standard deviation of the labels around the function.
        fresh: Whether each generation has features of its own. Else all have the same, as in the
            theorems of arXiv 2404.01413.
    """

    features: int = _FEATURES
    noise: float = 1.0
    fresh: bool = False

    @property
    def meanings(self) -> Mapping[str, str]:
        """As of `World`."""
        return {"test_error": "mean squared error on fresh features, without the labels' noise"}

    def human(self, rows: int, replicates: int, generator: np.random.Generator) -> Rows:
        """As of `World`."""
        return self.sample(
            np.broadcast_to(self._truth, (replicates, self.features)), rows, generator
        )

    def fit(self, rows: Rows) -> Floats:
        """As of `World`: coefficients, float64 of shape (replicates, features)."""
        inputs, labels = rows[..., :-1].transpose(1, 0, 2), rows[..., -1].T[..., None]
        gram = inputs.transpose(0, 2, 1) @ inputs
        solved = np.linalg.solve(gram, inputs.transpose(0, 2, 1) @ labels)
        return np.asarray(solved[..., 0], np.float64)

    def sample(self, model: Floats, rows: int, generator: np.random.Generator) -> Rows:
        """As of `World`."""
        shape = (rows, *model.shape)
        inputs = generator.standard_normal(shape) if self.fresh else _same_inputs(shape)
        noise = self.noise * generator.standard_normal(shape[:-1])
        return np.concatenate([inputs, ((inputs * model).sum(-1) + noise)[..., None]], axis=-1)

    def readings(self, model: Floats) -> Mapping[str, Floats]:
        """As of `World`."""
        return {"test_error": ((model - self._truth) ** 2).sum(-1)}

    @property
    def _truth(self) -> Floats:
        return np.full(self.features, self.features**-0.5)


@lru_cache(maxsize=1)
def _same_inputs(shape: tuple[int, ...]) -> Floats:
    return np.random.default_rng(shape).standard_normal(shape)


def unit_of_error(rows: int, features: int, noise: float = 1.0) -> float:
    """The expected test error of one fit to human rows: sigma^2 d / (T - d - 1)."""
    return noise**2 * features / (rows - features - 1)


def expected_errors(regime: str, generations: int) -> list[float]:
    """In units of `unit_of_error`: n where data are replaced, the sum of 1/i^2 where they add up.

    The labels of one model and the same features for all, X: w_n = w_(n-1) + X^+ e_n where they
    are replaced. Where they add up, w_n is the mean of w_(i-1) + X^+ e_i over all n sets, which is
    w_(n-1) + X^+ e_n / n. The trace of (X'X)^-1 is d / (T - d - 1) in expectation.
    """
    steps = np.arange(1, generations + 1)
    terms = {"replace": np.ones(generations), "accumulate": 1 / steps**2}[regime]
    return [float(value) for value in np.cumsum(terms)]


def experiment(effort: Effort) -> Experiment:
    """Ten generations of 89 rows with 7 features, as published."""
    unit = unit_of_error(_ROWS, _FEATURES)
    rules = (Threshold("test_error", above=2.0, relative_to_start=True),)
    chains = {
        (name, fresh): run_chain(
            LinearRegression(fresh=fresh),
            REGIMES[name],
            generations=_GENERATIONS,
            rows=_ROWS,
            replicates=effort.replicates(3_000),
            seed=effort.seed,
            rules=rules,
        )
        for name, fresh in (
            *((name, False) for name in ("human", "replace", "accumulate", "accumulate_subsample")),
            ("accumulate", True),
        )
    }
    findings = []
    for name, published in _PUBLISHED.items():
        measured = chains[name, False].estimate("test_error", _GENERATIONS)
        spread = measured.standard_error * (len(measured.influences) / _PUBLISHED_RUNS) ** 0.5
        findings += [
            finding(
                "linear regression",
                f"test error, {name}, d = 7, T = 89, n = 10, in units of s^2 d/(T-d-1)",
                source,
                expected,
                measured,
                unit=unit,
                expected_error=error,
            )
            for source, expected, error in (
                (f"mean of 400 runs, {ACCUMULATE}", published, spread / unit),
                (
                    "n" if name == "replace" else "sum of 1/i^2",
                    expected_errors(name, _GENERATIONS)[-1],
                    0.0,
                ),
            )
        ]
    findings += [
        finding(
            "linear regression",
            f"test error, accumulate, {words}, stays below pi^2/6",
            ACCUMULATE,
            np.pi**2 / 6,
            chains["accumulate", fresh].estimate("test_error", _GENERATIONS),
            relation="below",
            unit=unit,
        )
        for words, fresh in (("the same features", False), ("fresh features", True))
    ]
    theory = {
        name: [unit * value for value in expected_errors(name, _GENERATIONS)] for name in _PUBLISHED
    }
    drawn = {name: chain for (name, fresh), chain in chains.items() if not fresh}
    theory["human"] = [unit] * _GENERATIONS
    return Experiment(findings, Chart(drawn, ["test_error"], {"test_error": theory}))
