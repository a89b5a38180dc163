"""A mixture of normal laws, fitted by scikit-learn: its small components go first."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from collapse_guard import Threshold
from collapse_guard.examples.laboratory.chain import run_chain, run_chains
from collapse_guard.examples.laboratory.decoded import chosen
from collapse_guard.examples.laboratory.drift import survival
from collapse_guard.examples.laboratory.experiment import Chart, Effort, Experiment, finding
from collapse_guard.examples.laboratory.regimes import REGIMES
from collapse_guard.examples.laboratory.world import Floats, Rows
from collapse_guard.extras import require

_APART = 10.0
_NEAR = 2.0
_NAME = "Gaussian mixture"


@dataclass(frozen=True)
class Mixture:
    """Fitted components, and which of the human ones had a row to be fitted to.

    Attributes:
        weights: float64 of shape (replicates, components), as are means and deviations.
        means: In any order.
        deviations: Standard deviations.
        seen: bool of that shape, in the order of the human components.
    """

    weights: Floats
    means: Floats
    deviations: Floats
    seen: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class GaussianMixture:
    """Components of variance 1 that lie ten standard deviations apart.

    Attributes:
        weights: Of the human components.
    """

    weights: tuple[float, ...] = (0.5, 0.3, 0.165, 0.02, 0.01, 0.005)

    @property
    def meanings(self) -> Mapping[str, str]:
        """As of `World`."""
        return {
            "recovered_modes": "number of human components that a fitted one lies at",
            "components_left": "number of human components with a row to be fitted to",
            **{
                f"alive_{number}": f"whether human component {number} has a row to be fitted to"
                for number in range(len(self.weights))
            },
        }

    def human(self, rows: int, replicates: int, generator: np.random.Generator) -> Rows:
        """As of `World`."""
        of = generator.choice(len(self.weights), size=(rows, replicates), p=self.weights)
        return _APART * of + generator.standard_normal(of.shape)

    def fit(self, rows: Rows) -> Mixture:
        """As of `World`.

        Raises:
            MissingExtraError: scikit-learn is not installed.
        """
        fitter = require("sklearn.mixture", "dev").GaussianMixture
        fitted = [self._fitted(fitter, each[:, None]) for each in rows.T]
        weights, means, variances = (np.stack(each) for each in zip(*fitted, strict=True))
        nearest = np.rint(rows / _APART).clip(0, len(self.weights) - 1)
        seen = (nearest[..., None] == np.arange(len(self.weights))).any(0)
        return Mixture(weights, means, np.sqrt(variances), seen)

    def sample(self, model: Mixture, rows: int, generator: np.random.Generator) -> Rows:
        """As of `World`."""
        replicates = len(model.weights)
        of = chosen(
            np.broadcast_to(np.cumsum(model.weights, axis=1), (rows, *model.weights.shape)),
            generator,
        )
        noise = generator.standard_normal((rows, replicates))
        each = np.arange(replicates)
        return np.asarray(model.means[each, of] + model.deviations[each, of] * noise)

    def readings(self, model: Mixture) -> Mapping[str, Floats]:
        """As of `World`."""
        apart = np.abs(model.means[..., None] - _APART * np.arange(len(self.weights)))
        return {
            "recovered_modes": (apart < _NEAR).any(1).sum(1).astype(np.float64),
            "components_left": model.seen.sum(1).astype(np.float64),
            **{f"alive_{number}": each * 1.0 for number, each in enumerate(model.seen.T)},
        }

    def _fitted(self, fitter: Any, rows: Rows) -> tuple[Floats, Floats, Floats]:
        # Begun at the human components, so that what goes is lost by drift, and by no bad start.
        count = len(self.weights)
        mixture = fitter(
            count,
            covariance_type="spherical",
            reg_covar=1e-2,
            weights_init=np.full(count, 1 / count),
            means_init=_APART * np.arange(count)[:, None],
            precisions_init=np.ones(count),
            random_state=0,
        ).fit(rows)
        return mixture.weights_, mixture.means_[:, 0], mixture.covariances_


def experiment(effort: Effort) -> Experiment:
    """Generations of 100 rows, fitted anew each time."""
    world, rows, generations = GaussianMixture(), 100, 10
    chains = run_chains(
        world,
        {name: REGIMES[name] for name in ("human", "replace", "mix")},
        generations=generations,
        rows=rows,
        replicates=effort.replicates(200),
        seed=effort.seed,
        rules=[Threshold("components_left", below=0.9, relative_to_start=True)],
    )
    once = run_chain(
        world,
        REGIMES["human"],
        generations=1,
        rows=rows,
        replicates=effort.replicates(1_500),
        seed=effort.seed,
    )
    findings = [
        finding(
            _NAME,
            f"survival of a component of weight {world.weights[number]}, one generation, M = 100",
            "1 - (1 - w)^M",
            1 - (1 - world.weights[number]) ** rows,
            once.estimate(f"alive_{number}", 1),
        )
        for number in (3, 4, 5)
    ]
    findings += [
        finding(
            _NAME,
            f"components left of {len(world.weights)}, replace, n = {n}, M = {rows}",
            "Wright-Fisher Markov chain",
            sum(survival(weight, rows, n) for weight in world.weights),
            chains["replace"].estimate("components_left", n),
        )
        for n in (3, generations)
    ]
    first = chains["replace"].estimate("recovered_modes", 1)
    findings.append(
        finding(
            _NAME,
            "recovered modes fall where data are replaced, n = 10",
            "below those of n = 1",
            first.value,
            chains["replace"].estimate("recovered_modes", generations),
            relation="below",
        )
    )
    steps = range(1, generations + 1)
    theory = {
        "human": [sum(survival(w, rows, 1) for w in world.weights)] * generations,
        "replace": [sum(survival(w, rows, n) for w in world.weights) for n in steps],
    }
    return Experiment(
        findings,
        Chart(chains, ("components_left", "recovered_modes"), {"components_left": theory}),
    )
