"""Who gets which slots: shares, floors and caps of sources, and what happens where one is dry."""

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, strategies as st

from collapse_guard.errors import ArgumentError
from collapse_guard.mixing import MixGuard, Source
from tests.mixing.conftest import Count


def human(rows: int = 10_000, name: str = "wiki", **settings: Any) -> Source:
    return Source(Count(rows), name, "human", **settings)


def model(rows: int = 10_000, name: str = "model", **settings: Any) -> Source:
    return Source(Count(rows), name, "synthetic", **settings)


def guard(humans: Any, synthetic: Any, **settings: Any) -> MixGuard:
    arguments: dict[str, Any] = {"human_fraction": 0.25, "block_size": 8, "length": 800} | settings
    return MixGuard(humans, synthetic, **arguments)


def shown(guard: MixGuard) -> dict[str, int]:
    counts = np.bincount(guard.locate(range(len(guard))).source, minlength=len(guard.sources))
    return {source.name: int(n) for source, n in zip(guard.sources, counts, strict=True)}


class TestShares:
    def test_the_slots_of_a_kind_are_shared_out_by_weight(self) -> None:
        mixed = guard(
            [human(name="wiki", weight=3), human(name="news")],
            [model(name="a", weight=0.5), model(name="b", weight=1), model(name="c", weight=1.5)],
        )
        assert shown(mixed) == {"wiki": 150, "news": 50, "a": 100, "b": 200, "c": 300}

    @pytest.mark.parametrize(("decay", "oldest_first"), [(0.5, False), (2, True)])
    def test_generations_weigh_by_age(self, decay: float, oldest_first: bool) -> None:
        models = [model(name=f"g{g}", generation=g, weight=1) for g in (1, 2, 3)]
        mixed = guard(human(), models, generation_decay=decay, length=80 * 14)
        counts = [480, 240, 120] if oldest_first else [120, 240, 480]
        assert shown(mixed) == {"wiki": 280, **dict(zip(("g1", "g2", "g3"), counts, strict=True))}

    def test_a_floor_is_kept_in_every_block_and_the_others_share_the_rest(self) -> None:
        mixed = guard(
            [human(name="wiki", weight=99), human(name="rare", min_fraction=0.125)],
            [model(name="a", weight=99), model(name="b", min_fraction=0.25)],
        )
        assert shown(mixed) == {"wiki": 100, "rare": 100, "a": 400, "b": 200}
        source = mixed.locate(range(800)).source
        for number, per_block in ((1, 1), (3, 2)):
            before = np.concatenate([[0], np.cumsum(source == number)])
            assert set(before[8:] - before[:-8]) == {per_block}

    def test_a_cap_is_kept_and_the_others_share_the_rest(self) -> None:
        models = [model(name="a", weight=8, max_fraction=0.3), model(name="b"), model(name="c")]
        assert shown(guard(human(), models)) == {"wiki": 200, "a": 240, "b": 180, "c": 180}

    def test_a_source_has_cap_and_repeats_of_its_own(self) -> None:
        mixed = guard([human(30, max_repeats=7)], model(100, max_repeats=6), max_repeats=1)
        assert len(mixed) == 800
        located = mixed.locate(range(800))
        assert np.bincount(located.row[located.is_human]).max() == 7

    @given(
        weights=st.lists(st.floats(0.01, 100), min_size=1, max_size=9),
        fraction=st.fractions(0, 1, max_denominator=8).filter(lambda f: f < 1),
    )
    def test_every_window_holds_a_share_to_within_a_draw_a_level(
        self, weights: list[float], fraction: Fraction
    ) -> None:
        models = [model(name=str(n), weight=weight) for n, weight in enumerate(weights)]
        mixed = guard(human(), models, human_fraction=fraction, epochs=2, length=400)
        located = mixed.locate(range(800))
        source = located.source[~located.is_human]
        levels = (len(weights) - 1).bit_length()
        for number in range(len(weights)):
            before = np.concatenate([[0], np.cumsum(source == source.min() + number)])
            share = before[-1] / len(source)
            for n in range(1, len(source), 17):
                held = before[n:] - before[:-n]
                assert np.abs(held - n * share).max() < max(levels, 1e-9)


class TestDry:
    def test_it_is_an_error_unless_told_otherwise(self) -> None:
        with pytest.raises(ArgumentError, match=r"`length` expected at most 264 slots.*50 rows in"):
            guard(human(), model(50), max_repeats=4)

    def test_stopping_makes_the_longest_epoch_that_works(self) -> None:
        stopping = guard(human(), model(50, when_dry="stop"), max_repeats=4, epochs=2)
        assert len(stopping) == 2 * 264
        assert shown(stopping) == {"wiki": 132, "model": 396}
        longest = guard(human(), model(50), max_repeats=4, length=264)
        assert longest.locate(range(264)).row.tolist() == stopping.locate(range(264)).row.tolist()

    def test_a_human_source_may_stop_the_stream_too(self) -> None:
        assert len(guard(human(20, when_dry="stop"), model(), max_repeats=4)) == 320

    def test_stopping_for_one_source_does_not_hide_another_that_must_not_be_dry(self) -> None:
        stopping = model(50, name="a", when_dry="stop")
        with pytest.raises(ArgumentError, match="the 1 rows in `wiki`"):
            guard(human(1), stopping, max_repeats=4)
        mixed = guard(human(40), stopping, max_repeats=4)
        assert len(mixed) == 264

    def test_no_epoch_at_all_is_an_error(self) -> None:
        with pytest.raises(ArgumentError, match="`length` expected at most 0 slots"):
            guard(human(), model(1, when_dry="stop"), max_repeats=4)

    def test_its_share_goes_to_human_rows_evenly(self) -> None:
        mixed = guard(human(), model(50, when_dry="human"), max_repeats=4)
        assert shown(mixed) == {"wiki": 600, "model": 200}
        located = mixed.locate(range(800))
        assert set(np.bincount(located.row[~located.is_human])) == {4}
        per_tenth = located.is_human.reshape(10, 80).sum(axis=1)
        assert per_tenth.max() - per_tenth.min() <= 2

    def test_only_what_it_lacks_is_handed_over(self) -> None:
        models = [model(50, name="a", when_dry="human"), model(name="b")]
        mixed = guard([human(), human(name="news", weight=3)], models, max_repeats=4)
        assert shown(mixed) == {"wiki": 75, "news": 225, "a": 200, "b": 300}

    def test_a_human_source_hands_over_to_the_other_human_ones(self) -> None:
        humans = [human(10, when_dry="human"), human(name="news"), human(name="web")]
        mixed = guard(humans, model(), max_repeats=4)
        assert shown(mixed) == {"wiki": 40, "news": 80, "web": 80, "model": 600}

    def test_human_rows_that_are_handed_too_many_are_dry_themselves(self) -> None:
        with pytest.raises(ArgumentError, match="the 100 rows in `wiki`"):
            guard(human(100), model(50, when_dry="human"), max_repeats=4)
        alone = human(100, when_dry="human")
        with pytest.raises(ArgumentError, match="the 100 rows in `wiki`"):
            guard(alone, model(50, when_dry="human"), max_repeats=4)

    def test_a_cap_on_human_rows_bounds_what_they_are_handed(self) -> None:
        capped = human(max_fraction=0.5)
        assert shown(guard(capped, model(100, when_dry="human")))["wiki"] == 400
        with pytest.raises(ArgumentError, match="the 90 rows in `model`"):
            guard(capped, model(90, when_dry="human"))

    def test_a_floor_that_the_rows_cannot_keep_is_an_error(self) -> None:
        models = [model(10, name="a", min_fraction=0.25, when_dry="human"), model(name="b")]
        with pytest.raises(ArgumentError, match="the 10 rows in `a`"):
            guard(human(), models, max_repeats=4)

    def test_human_rows_stand_by_where_the_floor_is_none(self) -> None:
        mixed = guard(human(), model(100, when_dry="human"), human_fraction=0, max_repeats=4)
        assert shown(mixed) == {"wiki": 400, "model": 400}


class TestFractionsThatDoNotFit:
    @pytest.mark.parametrize(
        ("humans", "synthetic", "fraction", "message"),
        [
            # 0.8 + 0.3 > 1.
            (human(), model(min_fraction=0.3), 0.8, "`min_fraction` expected synthetic sources"),
            # Each fits, and together they do not.
            (
                [human(name=str(n), min_fraction=0.2) for n in range(3)],
                model(),
                0.5,
                "`min_fraction` expected human sources .*0.6 in all, which takes 6 slots: 2",
            ),
            # 3 x 0.01 is little, but 3 slots of the 2 human ones of a block of 8.
            (
                [human(name=str(n), min_fraction=0.01) for n in range(3)],
                model(),
                0.25,
                "larger block_size if only the rounding",
            ),
            # A block in a stage without synthetic slots holds no synthetic floor.
            (human(), model(min_fraction=0.1), [(0.1, 1.0), (1.0, 0.2)], "fit into 0 of the 8"),
            (human(max_fraction=0.2), model(), 0.25, "`max_fraction` expected human sources"),
            (
                human(),
                [model(name=str(n), max_fraction=0.3) for n in range(2)],
                0.25,
                "`max_fraction` expected synthetic sources .* fill 6 of the 8 .*0.6 in all",
            ),
            # A block of 8 holds a whole row or none: at least 0.1 is an eighth.
            (
                human(),
                [model(min_fraction=0.1, max_fraction=0.11), model(name="b")],
                0.25,
                "`min_fraction` expected a share of model that blocks of 8",
            ),
        ],
    )
    def test_they_are_refused(
        self, humans: Any, synthetic: Any, fraction: Any, message: str
    ) -> None:
        with pytest.raises(ArgumentError, match=message):
            guard(humans, synthetic, human_fraction=fraction)

    @pytest.mark.parametrize("decay", [0, math.inf, -1, math.nan, "1"])
    def test_a_decay_is_a_share(self, decay: Any) -> None:
        with pytest.raises(ArgumentError, match="`generation_decay` expected a number above 0"):
            guard(human(), model(), generation_decay=decay)


def test_golden_ratio_weighting_is_a_floor_like_any_other() -> None:
    mixed = MixGuard(Count(500), Count(500), human_fraction="golden", block_size=1000)
    assert mixed.report().human_share == 0.619
    with pytest.raises(ArgumentError, match="`synthetic` expected rows"):
        MixGuard(Count(500), None, human_fraction="golden", block_size=10)


weights = st.sampled_from([0.5, 1, 1.7, 3])
fractions_of_sources = st.sampled_from([0, 0, 0, Fraction(1, 40), Fraction(1, 12)])


@st.composite
def source_lists(draw: st.DrawFn, kind: Any) -> list[Source]:
    return [
        Source(
            Count(draw(st.integers(1, 150))),
            f"{kind}{number}",
            kind,
            generation=draw(st.integers(0, 2)) if kind == "synthetic" else 0,
            weight=draw(weights),
            min_fraction=draw(fractions_of_sources),
            max_fraction=draw(st.sampled_from([1, 1, Fraction(2, 3)])),
            max_repeats=draw(st.sampled_from([None, 2, 9])),
            when_dry=draw(st.sampled_from(["error", "stop", "human", "human"])),
        )
        for number in range(draw(st.integers(1, 4)))
    ]


@given(
    humans=source_lists("human"),
    synthetic=source_lists("synthetic"),
    ends=st.lists(st.fractions(0, 1, max_denominator=20), max_size=3),
    floors=st.lists(st.integers(0, 10), min_size=4, max_size=4),
    block_size=st.integers(2, 24),
    length=st.integers(1, 300),
    epochs=st.integers(1, 4),
    seed=st.integers(0, 3),
)
def test_the_whole_promise(
    humans: list[Source],
    synthetic: list[Source],
    ends: list[Fraction],
    floors: list[int],
    block_size: int,
    length: int,
    epochs: int,
    seed: int,
) -> None:
    """Floors that change, of all and of each source, caps, repeats and counts, slot by slot."""
    stages = [
        (end, Fraction(floor, 10))
        for end, floor in zip(
            [*sorted({end for end in ends if 0 < end < 1}), Fraction(1)], floors, strict=False
        )
    ]
    try:
        mixed = MixGuard(
            humans,
            synthetic,
            human_fraction=stages,
            block_size=block_size,
            length=length,
            epochs=epochs,
            max_repeats=5,
            seed=seed,
        )
    except ArgumentError:
        assume(False)
    slots, per_epoch = len(mixed), len(mixed) // epochs
    is_human, source, row, is_first = mixed.locate(range(slots))
    assert [mixed.sources[s].kind == "human" for s in source.tolist()] == is_human.tolist()

    due = [Fraction(0)]
    for slot in range(slots):
        due.append(due[-1] + next(floor for end, floor in stages if slot < end * slots))
    before = np.concatenate([[0], np.cumsum(is_human)])
    for start in range(0, slots, max(1, slots // 9)):
        for stop in range(start + 1, slots + 1, max(1, slots // 70)):
            assert before[stop] - before[start] >= math.floor(due[stop] - due[start])
    for start in range(0, slots, block_size):
        floor = max(due[s + 1] - due[s] for s in range(start, start + block_size))
        assert before[start + block_size] - before[start] >= math.ceil(floor * block_size)
    seen = set()
    counts = np.zeros(len(mixed.sources), dtype=int)
    assigned, draws = mixed._plan.slots.assign(np.arange(slots))
    assert assigned.tolist() == source.tolist()
    for slot, place in enumerate(zip(source.tolist(), row.tolist(), strict=True)):
        assert (place not in seen) == is_first[slot]
        seen.add(place)
        assert draws[slot] == counts[place[0]]
        counts[place[0]] += 1
    assert mixed._plan.draws_before(slots).tolist() == counts.tolist()
    middle = np.bincount(source[: slots // 2], minlength=len(counts))
    assert mixed._plan.draws_before(slots // 2).tolist() == middle.tolist()

    for number, described in enumerate(mixed.sources):
        mine = source == number
        blocks = mine.reshape(-1, block_size).sum(axis=1)
        least = math.ceil(described.min_fraction * block_size)
        assert blocks.min() >= least
        if len(stages) == 1:
            shown_before = np.concatenate([[0], np.cumsum(mine)])
            assert (shown_before[block_size:] - shown_before[:-block_size]).min() >= least
        parts = len(stages) + epochs - 1
        assert counts[number] <= described.max_fraction * slots + parts
        for epoch in range(epochs):
            inside = slice(epoch * per_epoch, (epoch + 1) * per_epoch)
            times = np.bincount(row[inside][mine[inside]], minlength=len(described.rows))
            assert times.max() <= (described.max_repeats or 5)
            assert times.max() - times.min() <= 1
