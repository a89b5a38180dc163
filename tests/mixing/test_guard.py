import math
import pickle
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import datasets
import numpy as np
import pytest
import torch
from hypothesis import assume, given, strategies as st

from collapse_guard.arguments import meant_fraction
from collapse_guard.errors import ArgumentError, MixOrderError, TokenizerMismatchError
from collapse_guard.human_text.reference import HumanReference
from collapse_guard.mixing import MixGuard, RareBoost
from tests.mixing.conftest import Count, make_rows

HUMAN, SYNTHETIC = 1, 2


def small_guard(**settings: Any) -> MixGuard:
    arguments: dict[str, Any] = {"human_fraction": 0.3, "block_size": 8} | settings
    return MixGuard(make_rows(HUMAN, 30), make_rows(SYNTHETIC, 70), **arguments)


@given(
    num_human=st.integers(1, 300),
    num_synthetic=st.integers(1, 300),
    fraction=st.fractions(0, 1, max_denominator=60) | st.floats(0, 1),
    block_size=st.integers(1, 64),
    epochs=st.integers(1, 3),
    seed=st.integers(0, 2**32),
)
def test_the_promise(
    num_human: int,
    num_synthetic: int,
    fraction: Fraction | float,
    block_size: int,
    epochs: int,
    seed: int,
) -> None:
    """The floor in every window and batch, the cap in every epoch, and rows shown evenly."""
    cap = 5
    exact = meant_fraction(fraction)
    per_block = math.ceil(exact * block_size)
    most_blocks = min(
        num_human * cap // per_block if per_block else 400,
        num_synthetic * cap // (block_size - per_block) if per_block < block_size else 400,
    )
    assume(most_blocks >= 1)
    guard = MixGuard(
        Count(num_human),
        Count(num_synthetic),
        human_fraction=fraction,
        block_size=block_size,
        max_repeats=cap,
        length=min(most_blocks * block_size, 1000),
        epochs=epochs,
        seed=seed,
    )
    slots = len(guard)
    assert slots % (block_size * epochs) == 0
    is_human, _, rows, _ = guard.locate(range(slots))

    before = np.concatenate([[0], np.cumsum(is_human)])
    for n in range(1, slots + 1, max(1, slots // 50)):
        assert (before[n:] - before[: slots + 1 - n]).min() >= math.floor(n * exact)
    blocks = is_human.reshape(-1, block_size).sum(axis=1)
    assert (blocks == per_block).all()

    for kind, size in ((True, num_human), (False, num_synthetic)):
        assert ((rows[is_human == kind] >= 0) & (rows[is_human == kind] < size)).all()
        epoch_of = np.arange(slots) * epochs // slots
        for epoch in range(epochs):
            shown = rows[(is_human == kind) & (epoch_of == epoch)]
            times = np.bincount(shown, minlength=size)
            assert times.max() <= min(cap, times.min() + 1)


@given(step=st.integers(1, 13), seed=st.integers(0, 5))
def test_a_batch_is_what_its_slots_are(step: int, seed: int) -> None:
    guard = small_guard(seed=seed, epochs=2)
    is_human, _, rows, _ = guard.locate(range(len(guard)))
    expected = [[HUMAN if h else SYNTHETIC, row] for h, row in zip(is_human, rows, strict=True)]
    for start in range(0, len(guard), step):
        slots = range(start, min(start + step, len(guard)))
        batch = guard.__getitems__(list(slots))
        assert [row["input_ids"] for row in batch] == expected[slots.start : slots.stop]
    for slot in range(0, len(guard), 23):
        assert guard[slot]["input_ids"] == expected[slot]


def test_the_seed_names_the_stream_and_nothing_else_does() -> None:
    def stream(seed: int) -> list[int]:
        rows: list[int] = small_guard(seed=seed).locate(range(100)).row.tolist()
        return rows

    torch.manual_seed(1)
    np.random.seed(1)
    first = stream(3)
    torch.manual_seed(2)
    np.random.seed(2)
    assert stream(3) == first
    assert stream(4) != first


def test_the_stream_is_the_same_in_every_version() -> None:
    """A run that is resumed after an upgrade must find the rows that it would have found."""
    rows = (
        MixGuard(Count(1000), Count(5000), human_fraction=0.25, block_size=8, epochs=3, seed=7)
        .locate(range(6000, 6012))
        .row
    )
    assert rows.tolist() == [
        659, 2813, 1627, 580, 2693, 4963, 548, 954, 1369, 4993, 2594, 501
    ]  # fmt: skip


def test_no_generator_is_touched() -> None:
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # type: ignore[index]
    guard = small_guard()
    guard.__getitems__([0, 1, 2])
    guard.report()
    assert torch.equal(before[0], torch.get_rng_state())
    assert np.array_equal(before[1], np.random.get_state()[1])  # type: ignore[index]


def test_epochs_differ_and_share_their_length() -> None:
    guard = small_guard(epochs=3)
    assert len(guard) == 3 * 104
    rows = guard.locate(range(len(guard))).row.reshape(3, 104)
    assert (rows[0] != rows[1]).any()
    assert (rows[1] != rows[2]).any()


def test_the_length_is_rounded_up_to_whole_blocks() -> None:
    assert len(small_guard(length=50)) == 56
    assert len(small_guard(length=56)) == 56
    assert len(small_guard()) == 104


class TestOneSource:
    def test_all_human(self) -> None:
        guard = MixGuard(make_rows(HUMAN, 20), None, human_fraction=1, block_size=4)
        assert len(guard) == 20
        assert {row["input_ids"][0] for row in guard.__getitems__(range(20))} == {HUMAN}
        assert [source.name for source in guard.sources] == ["human"]
        assert guard.report().human_share == 1

    @pytest.mark.parametrize("human", [None, []])
    def test_all_synthetic(self, human: Any) -> None:
        guard = MixGuard(human, make_rows(SYNTHETIC, 20), human_fraction=0, block_size=4)
        assert {row["input_ids"][0] for row in guard.__getitems__(range(20))} == {SYNTHETIC}
        assert [source.name for source in guard.sources] == ["synthetic"]
        assert guard.report().human_share == 0

    def test_a_source_without_slots_is_left_out(self) -> None:
        guard = MixGuard(Count(20), Count(1000), human_fraction=1.0, block_size=4)
        assert len(guard) == 20

    def test_a_floor_that_fills_the_block_shows_no_synthetic_row(self) -> None:
        guard = MixGuard(Count(20), Count(20), human_fraction=0.9, block_size=4)
        assert guard.report().human_share == 1

    def test_one_row_each(self) -> None:
        guard = MixGuard(Count(1), Count(1), human_fraction=0.5, block_size=2, epochs=4)
        assert guard.locate(range(8)).row.tolist() == [0] * 8


# Five rows of each of a hundred types, of which `zipf_reference` finds the last the rarest.
BY_RARITY = [{"input_ids": [0, number % 100]} for number in range(500)]


class TestRareBoost:
    def guard(self, reference: HumanReference, **settings: Any) -> MixGuard:
        arguments: dict[str, Any] = {
            "human_fraction": 0.5, "block_size": 10, "boost": RareBoost(3.0, reference)
        } | settings  # fmt: skip
        return MixGuard(BY_RARITY, make_rows(SYNTHETIC, 500), **arguments)

    def test_rarer_rows_are_shown_more_often(self, zipf_reference: HumanReference) -> None:
        guard = self.guard(zipf_reference)
        is_human, _, rows, _ = guard.locate(range(len(guard)))
        times = np.bincount(rows[is_human], minlength=500)
        rarity = zipf_reference.self_information[[row["input_ids"][1] for row in BY_RARITY]]
        deciles = np.array_split(times[np.argsort(rarity, kind="stable")], 10)
        means = [decile.mean() for decile in deciles]
        assert means == sorted(means)
        assert means[-1] / means[0] == pytest.approx(3.0, rel=0.05)

    def test_the_floor_is_the_same_with_and_without(self, zipf_reference: HumanReference) -> None:
        with_boost = self.guard(zipf_reference).locate(range(1000)).is_human
        without = self.guard(zipf_reference, boost=None).locate(range(1000)).is_human
        assert with_boost.tolist() == without.tolist()

    @pytest.mark.parametrize("cap", [1, 2, 3])
    def test_no_row_is_shown_more_often_than_allowed(
        self, zipf_reference: HumanReference, cap: int
    ) -> None:
        guard = self.guard(
            zipf_reference,
            boost=RareBoost(50.0, zipf_reference),
            max_repeats=cap,
            epochs=3,
            length=900,
        )
        is_human, _, rows, _ = guard.locate(range(len(guard)))
        for epoch in range(3):
            in_epoch = np.arange(len(guard)) // 900 == epoch
            assert Counter(rows[is_human & in_epoch].tolist()).most_common(1)[0][1] <= cap

    def test_showings_are_far_apart(self, zipf_reference: HumanReference) -> None:
        """Half a round of a stratum, in slots: less what rounding to whole slots moves."""
        guard = self.guard(zipf_reference, epochs=2)
        report = guard.report()
        is_human, _, rows, _ = guard.locate(range(len(guard)))
        most_often = max(stratum.mean for stratum in report.source("human").strata) / 2
        shortest = 1000 / most_often / 2
        last: dict[int, int] = {}
        gaps = []
        for slot in np.flatnonzero(is_human).tolist():
            if rows[slot] in last:
                gaps.append(slot - last[rows[slot]])
            last[rows[slot]] = slot
        assert gaps
        assert min(gaps) > 0.8 * shortest

    def test_showings_of_rare_rows_are_spread_over_the_epoch(
        self, zipf_reference: HumanReference
    ) -> None:
        guard = self.guard(zipf_reference)
        is_human, _, rows, _ = guard.locate(range(1000))
        rare = is_human & np.isin(rows, [r for r in range(500) if r % 100 >= 90])
        by_tenth = rare.reshape(10, 100).sum(axis=1)
        assert by_tenth.max() - by_tenth.min() <= 4

    def test_a_boost_of_one_is_even(self, zipf_reference: HumanReference) -> None:
        human = (
            self.guard(zipf_reference, boost=RareBoost(1, zipf_reference)).report().source("human")
        )
        assert {(s.fewest, s.most) for s in human.strata} == {(1, 1)}

    @pytest.mark.parametrize("boost", [0.5, -1, math.nan, math.inf, "2"])
    def test_a_boost_below_one_is_refused(self, zipf_reference: Any, boost: Any) -> None:
        with pytest.raises(ArgumentError, match="`times` expected a number of at least 1"):
            self.guard(zipf_reference, boost=RareBoost(boost, zipf_reference))

    def test_it_needs_a_reference(self) -> None:
        with pytest.raises(ArgumentError, match="`by` expected a HumanReference"):
            self.guard(None)  # type: ignore[arg-type]

    def test_it_needs_the_column(self, zipf_reference: HumanReference) -> None:
        with pytest.raises(ArgumentError, match=r"`column` expected one of .*\['input_ids'\]"):
            self.guard(zipf_reference, boost=RareBoost(3.0, zipf_reference, column="tokens"))

    @pytest.mark.parametrize("num_strata", [1, 101, 2.5])
    def test_it_needs_a_sensible_number_of_strata(
        self, zipf_reference: Any, num_strata: Any
    ) -> None:
        with pytest.raises(
            ArgumentError, match="`num_strata` expected a whole number from 2 to 100"
        ):
            RareBoost(3.0, zipf_reference, num_strata=num_strata)

    def test_it_refuses_ids_that_the_reference_does_not_know(self) -> None:
        small = HumanReference.from_token_ids([[0, 1, 2]], vocab_size=99)
        with pytest.raises(TokenizerMismatchError, match="token id 99"):
            self.guard(small)


@pytest.mark.parametrize("slot", [-1, 104])
def test_slots_out_of_range_are_refused(slot: int) -> None:
    guard = small_guard()
    with pytest.raises(IndexError, match=f"slot {slot} is not from 0 to 103"):
        guard[slot]
    with pytest.raises(ArgumentError, match="`slots` expected slots from 0 to 103"):
        guard.locate([slot])


@pytest.mark.parametrize("slots", [3, [0.5], [[1, 2]], "12"])
def test_locate_takes_a_list_of_slots(slots: Any) -> None:
    with pytest.raises(ArgumentError, match="`slots` expected a list"):
        small_guard().locate(slots)


def test_locate_of_nothing_is_nothing() -> None:
    is_human, _, rows, _ = small_guard().locate([])
    assert is_human.dtype == np.bool_
    assert rows.dtype == np.int64
    assert is_human.shape == rows.shape == (0,)


def test_a_batch_out_of_order_is_refused() -> None:
    guard = small_guard()
    assert guard.__getitems__([]) == []
    with pytest.raises(MixOrderError, match="slots 0, 2, 1 one after another"):
        guard.__getitems__([0, 2, 1])


@pytest.mark.parametrize(
    "make", [make_rows, lambda m, n: datasets.Dataset.from_list(make_rows(m, n))]
)
def test_it_can_be_pickled(make: Callable[[int, int], Any], zipf_reference: HumanReference) -> None:
    guard = MixGuard(
        make(HUMAN, 30),
        make(SYNTHETIC, 70),
        human_fraction=0.3,
        block_size=8,
        boost=RareBoost(2.0, by=zipf_reference),
    )
    copy = pickle.loads(pickle.dumps(guard))
    slots = list(range(len(guard)))
    assert copy.__getitems__(slots) == guard.__getitems__(slots)
    assert copy.report() == guard.report()


def test_a_source_that_loses_rows_is_not_covered_up() -> None:
    class Lossy(Count):
        def __getitems__(self, rows: list[int]) -> list[int]:
            return rows[1:]

    guard = MixGuard(Lossy(10), Lossy(10), human_fraction=0.5, block_size=2)
    with pytest.raises(ArgumentError, match=r"2 here, but got .1 rows"):
        guard.__getitems__([0, 1, 2, 3])
