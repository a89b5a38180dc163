"""Each world of the laboratory against its theory, and theory against independent reckoning."""

import math
import sys
from itertools import pairwise
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from collapse_guard import Decoding
from collapse_guard.examples.laboratory.chain import run_chain
from collapse_guard.examples.laboratory.decoded import chosen, decoded, entropies, is_tail, zipf
from collapse_guard.examples.laboratory.drift import survival
from collapse_guard.examples.laboratory.regimes import REGIMES, mix, weighted
from collapse_guard.examples.laboratory.worlds import (
    bigram,
    gaussian,
    gaussian_mean,
    linear_regression,
    survey,
    unigram,
)
from collapse_guard.examples.laboratory.worlds.gaussian_mixture import GaussianMixture
from collapse_guard.mixing.floor import golden_fraction
from collapse_guard.statistics.estimates import Estimate

# A correct world is past this in one run of 15,000, and seeds are fixed.
SIGMAS = 4.0


def agrees(measured: Estimate, expected: float) -> bool:
    return abs(measured.value - expected) < SIGMAS * measured.standard_error


@pytest.mark.parametrize(("regime", "human"), [("human", 20), ("replace", 0), ("mix", 6)])
def test_a_gaussian_follows_the_recursion_of_its_moments(regime: str, human: int) -> None:
    chain = run_chain(
        gaussian.Gaussian(), REGIMES[regime], generations=6, rows=20, replicates=2000, seed=1
    )
    variances, squares = gaussian.moments(20, human, 6)
    for generation in (1, 2, 6):
        assert agrees(chain.estimate("variance", generation), variances[generation - 1])
        assert agrees(chain.estimate("squared_mean", generation), squares[generation - 1])


def test_the_recursion_of_moments_is_the_published_one_without_human_rows() -> None:
    variances, squares = gaussian.moments(20, 0, 30)
    kept = (1 - 1 / 20) ** np.arange(1, 31)
    np.testing.assert_allclose(variances, kept)
    np.testing.assert_allclose(squares, 1 - kept)


def test_a_variance_without_bias_stays_while_its_logarithm_falls() -> None:
    chain = run_chain(
        gaussian.Gaussian("M - 1"), REGIMES["replace"], generations=5, rows=10, replicates=4000
    )
    drift = stats.loggamma(4.5).mean() - math.log(4.5)
    assert gaussian.log_variance(10) == pytest.approx(drift)
    assert agrees(chain.estimate("variance", 5), 1.0)
    assert agrees(chain.estimate("log_variance", 5), 5 * drift)
    # A wrong estimate is told from the right one.
    assert not agrees(chain.estimate("variance", 5), (1 - 1 / 10) ** 5)


@pytest.mark.parametrize("human", [25, 100, 400])
def test_a_curve_through_expected_errors_is_least_at_the_golden_weight(human: int) -> None:
    errors = [
        np.array([gaussian_mean.expected_errors(w, human, 100, 300)[-1]])
        for w in gaussian_mean.WEIGHTS
    ]
    found = gaussian_mean.best_weight([np.concatenate(errors)])
    assert found == pytest.approx(float(golden_fraction(human, 100)), abs=0.002)


def test_a_weighted_mean_has_the_error_that_is_expected() -> None:
    chain = run_chain(
        gaussian_mean.GaussianMean(),
        weighted(0.3),
        generations=4,
        rows=40,
        human_rows=80,
        replicates=3000,
    )
    expected = gaussian_mean.expected_errors(0.3, 80, 40, 4)
    for generation in (1, 2, 4):
        assert agrees(chain.estimate("squared_error", generation), expected[generation - 1])


@pytest.mark.parametrize("regime", ["replace", "accumulate"])
def test_linear_regression_has_the_published_error(regime: str) -> None:
    chain = run_chain(
        linear_regression.LinearRegression(features=3, noise=2.0),
        REGIMES[regime],
        generations=5,
        rows=20,
        replicates=1500,
        seed=2,
    )
    expected = linear_regression.expected_errors(regime, 5)
    unit = linear_regression.unit_of_error(20, 3, noise=2.0)
    for generation in (1, 2, 5):
        assert agrees(chain.estimate("test_error", generation), unit * expected[generation - 1])


def test_least_squares_is_numpys() -> None:
    world = linear_regression.LinearRegression(features=2, fresh=True)
    rows = world.human(9, 3, np.random.default_rng(0))
    for replicate, coefficients in enumerate(world.fit(rows)):
        inputs, labels = rows[:, replicate, :-1], rows[:, replicate, -1]
        np.testing.assert_allclose(coefficients, np.linalg.lstsq(inputs, labels, rcond=None)[0])


def test_survival_is_that_of_a_chain_of_binomial_counts() -> None:
    rows, generations, share = 12, 4, 0.1
    steps = stats.binom.pmf(np.arange(rows + 1), rows, (np.arange(rows + 1) / rows)[:, None])
    law = stats.binom.pmf(np.arange(rows + 1), rows, share)
    for _ in range(generations - 1):
        law = law @ steps
    assert survival(share, rows, generations) == pytest.approx(1 - law[0])
    assert survival(share, rows, 1) == pytest.approx(1 - 0.9**12)


def test_types_of_a_unigram_die_as_they_drift() -> None:
    chain = run_chain(
        unigram.Unigram(30, watched=(3,)),
        REGIMES["replace"],
        generations=5,
        rows=40,
        replicates=1500,
    )
    human = zipf(30)
    assert agrees(chain.estimate("alive_3", 5), survival(human[2], 40, 5))
    assert agrees(chain.estimate("types_left", 5), sum(survival(w, 40, 5) for w in human))
    differ = (1 - (human**2).sum()) * (1 - 1 / 40) ** 5
    assert agrees(chain.estimate("heterozygosity", 5), differ)


def test_a_cool_unigram_goes_to_its_fixed_point() -> None:
    path = unigram.fixed_point_path(zipf(50), 0.3, 0.8, 300)
    sharpened = path[-1] ** 1.25
    at_rest = 0.3 * zipf(50) + 0.7 * sharpened / sharpened.sum()
    np.testing.assert_allclose(path[-1], at_rest)
    chain = run_chain(
        unigram.Unigram(50, temperature=0.8), mix(0.3), generations=12, rows=4000, replicates=12
    )
    tail = is_tail(50)
    for generation in (1, 3, 12):
        expected = float(path[generation - 1][tail].sum())
        assert agrees(chain.estimate("tail_mass", generation), expected)


def test_what_a_cut_takes_away_keeps_the_share_of_human_rows() -> None:
    chain = run_chain(
        unigram.Unigram(50, top_k=10), mix(0.25), generations=3, rows=1000, replicates=60
    )
    assert agrees(chain.estimate("tail_mass", 3), 0.25 * float(zipf(50)[is_tail(50)].sum()))


def test_a_sampler_s_law_is_its_formula() -> None:
    law = np.array([[0.5, 0.2, 0.2, 0.1, 0.0]])
    np.testing.assert_allclose(decoded(law, Decoding(0.5)), law**2 / (law**2).sum())
    cut = decoded(law, Decoding(top_k=1))
    np.testing.assert_allclose(cut, [[1.0, 0, 0, 0, 0]])
    assert entropies(law)[0] == pytest.approx(stats.entropy(law[0]))
    assert zipf(3).tolist() == pytest.approx([6 / 11, 3 / 11, 2 / 11])


@pytest.mark.parametrize(("regime", "human"), [("replace", 0.0), ("mix", 0.3)])
def test_a_bigram_follows_the_flow_of_its_pairs(regime: str, human: float) -> None:
    world = bigram.Bigram(types=6, length=8)
    chain = run_chain(world, REGIMES[regime], generations=4, rows=3000, replicates=30)
    for generation, law in enumerate(bigram.path(world, human, 4), 1):
        for name, value in world.readings(law).items():
            measured = chain.estimate(name, generation)
            # Entropies of counts are too small by about types / (2 tokens of a context).
            bias = 6 / (2 * 3000 * 7 / 6)
            assert abs(measured.value - value[0]) < SIGMAS * measured.standard_error + bias


def test_a_bigram_counts_pairs_and_contexts_as_a_loop_does() -> None:
    world = bigram.Bigram(types=4, length=5)
    rows = world.human(7, 2, np.random.default_rng(0))
    fitted = world.fit(rows)
    for replicate in range(2):
        counts = np.zeros((4, 4))
        for sentence in rows[:, replicate]:
            for last, following in pairwise(sentence):
                counts[last, following] += 1
        seen = counts.sum(1) > 0
        expected = counts[seen] / counts[seen].sum(1, keepdims=True)
        np.testing.assert_allclose(fitted.transition[replicate][seen], expected)
    np.testing.assert_allclose(fitted.transition.sum(-1), 1.0)
    many = world.human(20_000, 1, np.random.default_rng(1))[:, 0, :-1]
    shares = np.bincount(many.ravel(), minlength=4) / many.size
    np.testing.assert_allclose(world.contexts(world.law)[0], shares, atol=0.01)


SMALL = survey.Survey((5, 4, 3))


def test_a_survey_is_counted_as_a_loop_does() -> None:
    rows = SMALL.human(50, 2, np.random.default_rng(0))
    fitted = SMALL.fit(rows)
    for replicate in range(2):
        own = rows[:, replicate]
        for region in range(5):
            members = own[own[:, 0] == region]
            assert fitted.root[replicate, region] == pytest.approx(len(members) / 50)
            for column, table in enumerate(fitted.given_root, 1):
                counts = [np.mean(members[:, column] == each) for each in range(table.shape[-1])]
                np.testing.assert_allclose(table[replicate, region], counts)
    # What it draws from the human law has the human law's shares of pairs.
    many = SMALL.human(60_000, 1, np.random.default_rng(1))
    np.testing.assert_allclose(
        survey.pair_shares(SMALL.fit(many)), survey.pair_shares(SMALL.law), atol=0.01
    )


def test_categories_and_their_pairs_die_as_they_drift() -> None:
    chain = run_chain(SMALL, REGIMES["replace"], generations=4, rows=30, replicates=1500)
    regions, pairs = SMALL.law.root[0], survey.pair_shares(SMALL.law).ravel()
    for generation in (1, 2, 4):
        for name, shares in (("regions", regions), ("pairs", pairs)):
            expected = sum(survival(float(share), 30, generation) for share in shares)
            assert agrees(chain.estimate(name, generation), expected)
        for name, shares in (("rarest_region", regions), ("rarest_pair", pairs)):
            expected = survival(float(shares.min()), 30, generation)
            assert agrees(chain.estimate(name, generation), expected)
    # In the mean a share stays what it is, while more and more chains have lost it.
    assert agrees(chain.estimate("rare_regions", 4), 1.0)


@pytest.mark.parametrize("regime", ["human", "replace", "accumulate", "mix"])
def test_two_rows_of_a_survey_differ_as_the_recursion_says(regime: str) -> None:
    chain = run_chain(SMALL, REGIMES[regime], generations=5, rows=20, replicates=2500, seed=3)
    people = SMALL.readings(SMALL.law)
    for name in ("region_differs", "trade_differs", "pair_differs"):
        expected = survey.differs(float(people[name][0]), 20, 5, regime)
        for generation in (1, 2, 5):
            assert agrees(chain.estimate(name, generation), expected[generation - 1])
    if regime == "replace":
        differ = survey.differs(0.9, 20, 5, regime)
        np.testing.assert_allclose(differ, 0.9 * (1 - 1 / 20) ** np.arange(1, 6))
    if regime == "accumulate":
        product = np.cumprod(1 - 1 / (20 * np.arange(1, 6) ** 2))
        np.testing.assert_allclose(survey.differs(0.9, 20, 5, regime), 0.9 * product)
        assert not agrees(chain.estimate("pair_differs", 5), 0.9 * (1 - 1 / 20) ** 5)


def test_a_draw_falls_where_chance_is_below_the_bound() -> None:
    bounds = np.broadcast_to(np.cumsum([0.5, 0.0, 0.3, 0.2]), (20_000, 4))
    counts = np.bincount(chosen(bounds, np.random.default_rng(0)), minlength=4)
    np.testing.assert_allclose(counts / 20_000, [0.5, 0.0, 0.3, 0.2], atol=0.015)
    short = np.full((3, 2), 1e-9)
    assert chosen(short, np.random.default_rng(0)).tolist() == [1, 1, 1]


class NearestCentres:
    """Stands in for scikit-learn's mixture: centres ten apart, and the shares of rows at each."""

    def __init__(self, components: int, **settings: object) -> None:
        self._components = components

    def fit(self, rows: npt.NDArray[np.float64]) -> "NearestCentres":
        nearest = np.rint(rows[:, 0] / 10).astype(int)
        self.weights_ = np.bincount(nearest, minlength=self._components) / len(rows)
        alive = np.flatnonzero(self.weights_)
        # A component without rows falls on one that has some.
        at = alive[np.abs(alive - np.arange(self._components)[:, None]).argmin(1)]
        self.means_ = 10.0 * at[:, None]
        self.covariances_ = np.ones(self._components)
        return self


def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    package, module = ModuleType("sklearn"), ModuleType("sklearn.mixture")
    module.__dict__["GaussianMixture"] = NearestCentres
    package.__dict__["mixture"] = module
    monkeypatch.setitem(sys.modules, "sklearn", package)
    monkeypatch.setitem(sys.modules, "sklearn.mixture", module)


def test_components_of_a_mixture_die_as_they_drift(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch)
    world = GaussianMixture((0.6, 0.3, 0.1))
    chain = run_chain(world, REGIMES["replace"], generations=4, rows=20, replicates=600)
    # The first dies too seldom for its error to be known.
    for number in (1, 2):
        expected = survival(world.weights[number], 20, 4)
        assert agrees(chain.estimate(f"alive_{number}", 4), expected)
    assert chain.values["recovered_modes"].tolist() == chain.values["components_left"].tolist()


def test_scikit_learn_recovers_the_modes_of_human_rows() -> None:
    pytest.importorskip("sklearn")
    settings: Any = {"generations": 2, "rows": 200, "replicates": 10}
    chain = run_chain(GaussianMixture((0.5, 0.3, 0.2)), REGIMES["human"], **settings)
    assert chain.values["recovered_modes"].min() == 3
