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
from tests.mixing.quotas.sources import guard, human, model, shown


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


def test_a_row_that_is_all_there_is_goes_to_one_segment() -> None:
    """Segments that take of a source which has fewer rows than there are segments."""
    few = model(1, name="few", max_repeats=1, when_dry="human")
    mixed = guard(
        human(),
        [model(name="a"), few],
        human_fraction=[(Fraction(1, 2), 0.25), (Fraction(1), 0.5)],
    )
    assert shown(mixed)["few"] == 1


def test_a_small_floor_of_a_synthetic_source_is_in_every_window() -> None:
    """Among these its share would be spread so that it is missing in a window now and then."""
    weights = (0.3, 1, 1, 9, 1)
    models = [
        model(name=str(number), weight=weight, min_fraction=0.125 if number == 2 else 0)
        for number, weight in enumerate(weights)
    ]
    source = guard(human(), models, human_fraction=0.125).locate(range(800)).source
    before = np.concatenate([[0], np.cumsum(source == 3)])
    assert (before[8:] - before[:-8]).min() == 1


def test_an_epoch_that_is_too_long_is_told_with_its_draws() -> None:
    with pytest.raises(ArgumentError) as told:
        guard(human(40, max_repeats=2), model())
    said = str(told.value)
    assert "at most 320 slots" in said
    assert "got 800" in said
    assert "200 of these slots are wiki" in said


class TestHandingOver:
    def test_what_a_dry_source_leaves_goes_to_human_rows_and_floors_stay(self) -> None:
        """600 slots are synthetic, of which 300 have rows; a half is human then, not a quarter."""
        people = [human(name="a", min_fraction=0.125), human(name="b", weight=3)]
        mixed = guard(people, model(300, max_repeats=1, when_dry="human"))
        assert shown(mixed) == {"a": 125, "b": 375, "model": 300}
        source = mixed.locate(range(800)).source
        for held, least in ((source == 0, 1), (source <= 1, 2)):
            before = np.concatenate([[0], np.cumsum(held)])
            assert (before[8:] - before[:-8]).min() >= least

    def test_up_to_the_last_row(self) -> None:
        mixed = guard(human(210, max_repeats=1), model(590, max_repeats=1, when_dry="human"))
        assert shown(mixed) == {"wiki": 210, "model": 590}

    @pytest.mark.parametrize(
        ("humans", "models", "most", "told"),
        [
            (  # Rows suffice for a block or five, in which it has two of eight.
                human(),
                [model(name="a"), model(10, name="few", min_fraction=0.25, when_dry="human")],
                40,
                "300 of these slots are few",
            ),
            (
                [human(name="a"), human(10, name="few", min_fraction=0.125, when_dry="human")],
                model(),
                80,
                "100 of these slots are few",
            ),
            (human(100, name="few", when_dry="human"), model(), 400, "200 of these slots are few"),
            (
                human(210, name="few"),
                model(580, when_dry="human"),
                784,
                "220 of these slots are few",
            ),
        ],
    )
    def test_what_does_not_suffice_even_so_is_told(
        self, humans: Any, models: Any, most: int, told: str
    ) -> None:
        with pytest.raises(ArgumentError) as error:
            guard(humans, models, max_repeats=1)
        assert f"at most {most} slots" in str(error.value)
        assert "rows in `few`" in str(error.value)
        assert told in str(error.value)
