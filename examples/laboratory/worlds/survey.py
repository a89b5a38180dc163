"""Rows of categories: a tree of shares is fitted, and rare categories and their pairs go.

Rows are answers to a survey: a region, and given it a trade and a household. A tree that is fitted
by counting draws each column, and each pair of columns that an edge joins, as if rows were drawn
again with replacement: what population genetics says of genes holds of categories, exactly.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

import numpy as np

from collapse_guard import Threshold
from collapse_guard.examples.laboratory.chain import Chain, run_chains
from collapse_guard.examples.laboratory.decoded import chosen, zipf
from collapse_guard.examples.laboratory.drift import survival
from collapse_guard.examples.laboratory.experiment import Chart, Effort, Experiment, finding
from collapse_guard.examples.laboratory.published import Finding
from collapse_guard.examples.laboratory.regimes import REGIMES
from collapse_guard.examples.laboratory.world import Floats, Rows

_NAME = "survey"
_RARE = 2


@dataclass(frozen=True)
class Tree:
    """Shares of the first column, and of each other one given it.

    Attributes:
        root: float64 of shape (replicates, categories).
        given_root: For each further column, float64 of shape (replicates, categories of the first
            column, categories); 0 throughout where the first has no row.
    """

    root: Floats
    given_root: tuple[Floats, ...]


@dataclass(frozen=True)
class Survey:
    """Rows are a region, a trade and a household: int64 of shape (rows, replicates, 3).

    Attributes:
        categories: Of each column, the first being the one that the others hang on.
        seed: Of the human law: regions in proportion to 1 / rank, and so are trades and
            households, in an order of its own for each region.
    """

    categories: tuple[int, ...] = (8, 6, 4)
    seed: int = 0

    @property
    def meanings(self) -> Mapping[str, str]:
        """As of `World`."""
        return {
            "regions": "number of regions that the model can still draw",
            "pairs": "number of pairs of a region and a trade that the model can still draw",
            "rare_regions": f"share of the {_RARE} rarest regions, over that among people",
            "rarest_region": "whether the rarest region can still be drawn",
            "rarest_pair": "whether the rarest pair of a region and a trade can still be drawn",
            "region_differs": "probability that two rows differ in region",
            "trade_differs": "probability that two rows differ in trade",
            "pair_differs": "probability that two rows differ in region or trade",
        }

    @property
    def law(self) -> Tree:
        """The human law, as one replicate."""
        generator = np.random.default_rng(self.seed)
        first, *others = self.categories
        given = [
            np.stack([generator.permutation(zipf(each)) for _ in range(first)]) for each in others
        ]
        return Tree(zipf(first)[None], tuple(table[None] for table in given))

    def human(self, rows: int, replicates: int, generator: np.random.Generator) -> Rows:
        """As of `World`."""
        law = self.law
        repeated = [np.repeat(each, replicates, axis=0) for each in (law.root, *law.given_root)]
        return self.sample(Tree(repeated[0], tuple(repeated[1:])), rows, generator)

    def fit(self, rows: Rows) -> Tree:
        """As of `World`: shares as they are counted, without smoothing."""
        first, *others = self.categories
        replicates = rows.shape[1]
        of = np.arange(replicates) * first + rows[..., 0]
        counts = np.bincount(of.ravel(), minlength=replicates * first).reshape(replicates, first)
        given = []
        for column, each in enumerate(others, 1):
            pairs = np.bincount(
                (of * each + rows[..., column]).ravel(), minlength=replicates * first * each
            ).reshape(replicates, first, each)
            given.append(pairs / np.maximum(counts, 1)[..., None])
        return Tree(counts / len(rows), tuple(given))

    def sample(self, model: Tree, rows: int, generator: np.random.Generator) -> Rows:
        """As of `World`."""
        replicates = np.arange(len(model.root))
        bounds = np.broadcast_to(np.cumsum(model.root, axis=-1), (rows, *model.root.shape))
        drawn = [chosen(bounds, generator)]
        for table in model.given_root:
            drawn.append(chosen(np.cumsum(table, axis=-1)[replicates, drawn[0]], generator))
        return np.stack(drawn, axis=-1)

    def readings(self, model: Tree) -> Mapping[str, Floats]:
        """As of `World`."""
        pairs = pair_shares(model)
        law = self.law
        rare, rarest = float(law.root[0, -_RARE:].sum()), int(pair_shares(law).argmin())
        return {
            "regions": (model.root > 0).sum(1).astype(np.float64),
            "pairs": (pairs > 0).sum((1, 2)).astype(np.float64),
            "rare_regions": model.root[:, -_RARE:].sum(1) / rare,
            "rarest_region": (model.root[:, -1] > 0) * 1.0,
            "rarest_pair": (pairs.reshape(len(pairs), -1)[:, rarest] > 0) * 1.0,
            "region_differs": 1 - (model.root**2).sum(1),
            "trade_differs": 1 - (pairs.sum(1) ** 2).sum(1),
            "pair_differs": 1 - (pairs**2).sum((1, 2)),
        }


def pair_shares(model: Tree) -> Floats:
    """Shares of region and trade together: float64 of shape (replicates, regions, trades)."""
    return np.asarray(model.root[..., None] * model.given_root[0], np.float64)


def differs(human: float, rows: int, generations: int, regime: str, floor: float = 0.3) -> Floats:
    """Expected probability that two rows differ, by generation, from 1.

    With all M rows of the last generation it falls by 1 - 1/M each time; where all rows accumulate,
    by 1 - 1/(M n^2), which never comes to nothing; with a floor of h human rows of M it comes to
    rest: E|p|^2 of a mean of two samples, of which the human one is fresh.

    Args:
        human: Of people.
        rows: M.
        generations: How many.
        regime: "replace", "accumulate", "human" or "mix".
        floor: Share of human rows of "mix".
    """
    of_people = 1 - human
    h = ceil(round(floor * rows, 9))
    alike = [of_people + human / rows]
    for n in range(2, generations + 1):
        last = alike[-1]
        if regime == "replace":
            alike.append(last + (1 - last) / rows)
        elif regime == "accumulate":
            alike.append(last + (1 - last) / (rows * n**2))
        elif regime == "human":
            alike.append(alike[0])
        else:
            ours, theirs = of_people + human / h, last + (1 - last) / (rows - h)
            a, b = h / rows, 1 - h / rows
            alike.append(a**2 * ours + b**2 * theirs + 2 * a * b * of_people)
    return 1 - np.array(alike)


def experiment(effort: Effort) -> Experiment:
    """Generations of 100 rows, fitted anew each time."""
    world, rows, generations = Survey(), 100, 10
    chains = run_chains(
        world,
        {name: REGIMES[name] for name in ("human", "replace", "accumulate", "mix")},
        generations=generations,
        rows=rows,
        replicates=effort.replicates(2_000),
        seed=effort.seed,
        rules=[
            Threshold("regions", below=0.9, relative_to_start=True),
            Threshold("pair_differs", below=0.95, relative_to_start=True),
        ],
    )
    people = {name: float(each[0]) for name, each in world.readings(world.law).items()}
    shares = pair_shares(world.law)[0]
    steps = range(1, generations + 1)
    regions, pairs = (
        [sum(survival(float(w), rows, n) for w in each.ravel()) for n in steps]
        for each in (world.law.root, shares)
    )
    theory = {
        "regions": {"human": [regions[0]] * generations, "replace": regions},
        "pairs": {"human": [pairs[0]] * generations, "replace": pairs},
        "pair_differs": {
            name: differs(people["pair_differs"], rows, generations, name).tolist()
            for name in chains
        },
    }
    return Experiment(
        _findings(world, chains, people, theory, rows),
        Chart(chains, tuple(theory), theory),
        notes=[
            "A pair of a region and a trade is rarer than either, and goes first: a column whose "
            "categories are all there still says nothing of its crossings with another."
        ],
    )


def _findings(
    world: Survey,
    chains: Mapping[str, Chain],
    people: Mapping[str, float],
    theory: Mapping[str, Mapping[str, list[float]]],
    rows: int,
) -> list[Finding]:
    last = len(theory["regions"]["replace"])
    replaced = chains["replace"]
    rarest = {"region": world.law.root, "pair": pair_shares(world.law)}
    found = [
        finding(
            _NAME,
            f"survival of a {what} of share {rarest[what].min():.4f}, n = {n}, M = {rows}",
            source,
            survival(float(rarest[what].min()), rows, n),
            replaced.estimate(f"rarest_{what}", n),
        )
        for what, n, source in (
            ("pair", 1, "1 - (1 - w)^M"),
            ("region", last, "Wright-Fisher Markov chain"),
        )
    ]
    found += [
        finding(
            _NAME,
            f"{name} left, replace, n = {last}, M = {rows}",
            "Wright-Fisher Markov chain",
            theory[name]["replace"][-1],
            replaced.estimate(name, last),
        )
        for name in ("regions", "pairs")
    ]
    found += [
        finding(
            _NAME,
            f"probability that two rows differ in {name}, replace, n = {last}, M = {rows}",
            "(1 - sum p^2) (1 - 1/M)^n",
            people[f"{reading}_differs"] * (1 - 1 / rows) ** last,
            replaced.estimate(f"{reading}_differs", last),
        )
        for name, reading in (("region", "region"), ("trade", "trade"), ("either", "pair"))
    ]
    found += [
        finding(
            _NAME,
            f"probability that two rows differ in either, {name}, n = {last}, M = {rows}",
            source,
            theory["pair_differs"][name][-1],
            chains[name].estimate("pair_differs", last),
        )
        for name, source in (
            ("accumulate", "(1 - sum p^2) times the product of 1 - 1/(M n^2)"),
            ("mix", "recursion of E sum p^2, 30% human rows"),
        )
    ]
    return found
