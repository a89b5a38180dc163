import math
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import datasets
import numpy as np
import pytest

from collapse_guard.errors import ArgumentError
from collapse_guard.human_text.reference import HumanReference
from collapse_guard.mixing import MixGuard, RareBoost, Source
from collapse_guard.mixing.strata.ranking import Ranking
from collapse_guard.mixing.strata.rarity import rank_human_rows
from collapse_guard.rows.row_source import RowSource
from tests.mixing.conftest import Count

LANGUAGES = ["en"] * 700 + ["de"] * 200 + ["sw"] * 70 + ["mi"] * 30
ROWS = [{"text": str(number), "language": name} for number, name in enumerate(LANGUAGES)]


def rank(sources: Sequence[Any], rarity: Any, **settings: Any) -> list[Ranking]:
    opened = [RowSource(f"human{n}", rows) for n, rows in enumerate(sources)]
    return rank_human_rows(opened, RareBoost(4.0, rarity, **settings))


@pytest.mark.parametrize("borders", [[], [600, 850]])
@pytest.mark.parametrize("make", [list, datasets.Dataset.from_list])
def test_a_class_is_as_rare_as_its_share_of_all_human_rows_says(
    make: Any, borders: list[int]
) -> None:
    sources = [make(ROWS[a:b]) for a, b in pairwise([0, *borders, len(ROWS)])]
    counts = Counter(LANGUAGES)
    for source, ranking in zip(sources, rank(sources, "language"), strict=True):
        expected = [-math.log2(counts[row["language"]] / 1000) for row in source]
        assert ranking.values.tolist() == pytest.approx(expected, rel=1e-6)
        # Four classes: a stratum each.
        assert ranking.num_groups == 4


def test_many_classes_are_cut_at_quantiles() -> None:
    rows = [{"domain": domain} for domain in range(40) for _ in range(40 - domain)]
    ranking = rank([rows], "domain", num_strata=5)[0]
    sizes = np.bincount(ranking.groups(slice(None)))
    assert len(sizes) == 5
    assert sizes.max() <= 2 * sizes.min()


def test_labels_may_be_numbers_of_any_kind() -> None:
    rows = [{"label": label} for label in [0, 0, 0, 1]]
    torch_rows = datasets.Dataset.from_list(rows).with_format("torch")
    for labels in (rows, torch_rows, datasets.Dataset.from_list(rows)):
        values = rank([labels], "label")[0].values
        assert values.tolist() == pytest.approx([-math.log2(0.75)] * 3 + [2.0])


def test_a_function_says_how_rare_a_row_is() -> None:
    sources = [["a", "bbb"], ["cc"]]
    rankings = rank(sources, len, num_strata=2)
    assert [ranking.values.tolist() for ranking in rankings] == [[1, 3], [2]]
    assert [ranking.cuts.tolist() for ranking in rankings] == [[2], [2]]


def test_numbers_may_be_given_source_after_source() -> None:
    rankings = rank([["a", "b"], ["c"]], np.array([5.0, 1.0, 3.0]), num_strata=3)
    assert [ranking.values.tolist() for ranking in rankings] == [[5, 1], [3]]


@pytest.mark.parametrize(
    ("rarity", "message"),
    [
        ("genre", r"`by` expected one of the columns \['language', 'text'\] of `human0`"),
        (lambda row: math.nan, "`by` expected a function that gives a finite number"),
        (lambda row: -math.inf, "`by` expected a function that gives a finite number"),
        ([1.0] * 999, "`by` expected one finite number for each of the 1000 human rows"),
        ([[1.0]] * 1000, "`by` expected one finite number for each of the 1000 human rows"),
        ([1.0] * 999 + [math.inf], "`by` expected one finite number for each of the 1000"),
        (["common"] * 1000, "`by` expected one finite number for each of the 1000 human rows"),
    ],
)
def test_what_is_no_rarity_is_refused(rarity: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        rank([ROWS], rarity)


@pytest.mark.parametrize("value", [0.5, [1, 2], {"a": 1}])
def test_a_column_of_something_else_than_classes_is_refused(value: Any) -> None:
    with pytest.raises(ArgumentError, match="`by` expected a column of classes"):
        rank([[{"score": value}]], "score")


def test_rows_without_columns_have_no_classes() -> None:
    with pytest.raises(ArgumentError, match=r"`by` expected one of the columns \[\]"):
        rank([["a", "b"]], "language")


@pytest.mark.parametrize("value", ["text", [0.5, 1.0], [[1, 2], [3, 4]], 3])
def test_a_reference_needs_token_ids(value: Any, zipf_reference: HumanReference) -> None:
    with pytest.raises(ArgumentError, match=r"`column` expected .* token ids"):
        rank([[{"ids": value}]], zipf_reference, column="ids")


class TestThroughTheGuard:
    def guard(self, human: Any, **settings: Any) -> MixGuard:
        arguments: dict[str, Any] = {
            "human_fraction": 0.5, "block_size": 10, "boost": RareBoost(4.0, "language"),
            "length": 2000, "max_repeats": 9,
        } | settings  # fmt: skip
        synthetic = [{"text": "", "language": "en"}] * 1000
        return MixGuard(human, synthetic, **arguments)

    def times(self, guard: MixGuard) -> dict[str, float]:
        located = guard.locate(range(len(guard)))
        shown = Counter(
            guard.sources[s].rows[r]["language"]
            for s, r in zip(located.source, located.row, strict=True)
            if guard.sources[s].kind == "human"
        )
        return {name: shown[name] / LANGUAGES.count(name) for name in ("en", "de", "sw", "mi")}

    def test_rarer_languages_are_shown_more_often(self) -> None:
        times = self.times(self.guard(ROWS))
        assert [times[name] / times["en"] for name in ("de", "sw", "mi")] == pytest.approx(
            [2, 3, 4], rel=0.02
        )

    def test_they_are_over_several_sources_too(self) -> None:
        # News has only English: its own rarest rows are no rarity.
        wiki = Source(ROWS[300:], "wiki", "human", weight=2)
        news = Source(ROWS[:300], "news", "human")
        guard = self.guard([wiki, news], length=3000)
        report = guard.report()
        assert [s.stratum for s in report.source("news").strata] == [0]
        assert [s.stratum for s in report.source("wiki").strata] == [0, 1, 2, 3]
        means = [stratum.mean for stratum in report.source("wiki").strata]
        assert [mean / means[0] for mean in means] == pytest.approx([1, 2, 3, 4], rel=0.02)

    def test_showings_of_rare_rows_are_spread_evenly(self) -> None:
        """Gaps, not clumps: of each rare row, and of all rare rows together."""
        guard = self.guard(ROWS, epochs=3)
        located = guard.locate(range(len(guard)))
        rare = located.is_human & (located.row >= 970)
        mean = self.times(guard)["mi"] / 3
        round_in_slots = 2000 / mean
        for row in range(970, 1000):
            gaps = np.diff(np.flatnonzero(rare & (located.row == row)))
            assert gaps.min() >= 0.45 * round_in_slots
            assert gaps.max() <= 1.55 * round_in_slots
        of_all = np.diff(np.flatnonzero(rare))
        assert of_all.max() <= 3 * of_all.mean()

    def test_none_turns_it_off(self) -> None:
        times = self.times(self.guard(ROWS, boost=None))
        assert set(times.values()) == {1.0}

    def test_the_cap_holds(self) -> None:
        guard = self.guard(ROWS, boost=RareBoost(100, "language"), max_repeats=3, epochs=2)
        located = guard.locate(range(len(guard)))
        for epoch in range(2):
            inside = slice(2000 * epoch, 2000 * (epoch + 1))
            shown = np.bincount(located.row[inside][located.is_human[inside]])
            assert shown.max() == 3
        times = self.times(guard)
        assert times["en"] <= times["de"] <= times["sw"] <= times["mi"] == 6

    def test_count_only_sources_take_given_numbers(self) -> None:
        guard = MixGuard(
            Count(1000),
            Count(1000),
            human_fraction=0.5,
            block_size=10,
            boost=RareBoost(2.0, by=np.arange(1000, dtype=np.float32)),
        )
        means = [stratum.mean for stratum in guard.report().source("human").strata]
        assert means == sorted(means)
        assert means[-1] / means[0] == pytest.approx(2, rel=0.02)
