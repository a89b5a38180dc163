from collections import Counter
from dataclasses import replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, strategies as st

from collapse_guard.mixing.order.plan import Located, LookAhead, MixPlan
from collapse_guard.mixing.order.row_order import RowOrder
from collapse_guard.mixing.order.slots import Leg, Slots
from collapse_guard.mixing.order.token_counts import TokenCounts, sums_of
from collapse_guard.mixing.strata.strata import Strata

PLAN = MixPlan(
    Slots([Leg(30, 1, 3, (90, 0), (0, 150), (0, 0), (0, 0))], 8),
    (
        RowOrder(Strata.unranked(100), [90], key=(0, 0)),
        RowOrder(Strata.unranked(200), [150], key=(0, 1)),
    ),
    np.array([True, False]),
    slots_per_epoch=240,
    epochs=10,
)


@given(
    batches=st.lists(
        st.tuples(st.integers(0, 5000), st.integers(1, 1500), st.integers(0, 4000)), max_size=8
    )
)
def test_it_answers_as_the_plan_does(batches: list[tuple[int, int, int]]) -> None:
    ahead = LookAhead(PLAN)
    for start, size, wraps_at in batches:
        slots = np.arange(start, start + size) % (wraps_at + 1)
        for answer, truth in zip(ahead.locate(slots), PLAN.locate(slots), strict=True):
            assert np.array_equal(answer, truth)


def test_a_stream_read_in_order_is_located_once() -> None:
    calls: Counter[int] = Counter()

    class Counting(MixPlan):
        def locate(self, slots: npt.NDArray[np.int64]) -> Located:
            calls.update(slots.tolist())
            return super().locate(slots)

    ahead = LookAhead(Counting(PLAN.slots, PLAN.orders, PLAN.is_human, 240, 10))
    # A reader who goes on is located further ahead at once than one who only begins.
    read = 4096 + 16384
    for start in range(0, read, 32):
        ahead.locate(np.arange(start, start + 32))
    assert calls == Counter(range(read))


def test_tokens_before_a_slot_are_those_of_the_rows_before_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    apart, epochs, per_epoch = 64, 3, PLAN.slots_per_epoch
    monkeypatch.setattr("collapse_guard.mixing.order.plan.SLOTS_APART", apart)
    lengths = (np.arange(1, 101, dtype=np.int32), np.arange(1001, 1201, dtype=np.int32))
    shown = PLAN.locate(np.arange(epochs * per_epoch))
    tokens = np.where(shown.is_human, 1, 1001) + shown.row
    by_source = np.stack([tokens * (shown.source == source) for source in range(2)], axis=1)
    stretches = [
        np.array([part.sum(axis=0) for part in np.split(epoch, range(apart, per_epoch, apart))])
        for epoch in np.split(by_source, epochs)
    ]
    counts = TokenCounts(lengths, Fraction(1, 2), 1200, *sums_of(stretches))
    plan = replace(PLAN, epochs=epochs, tokens=counts)
    before = np.concatenate([np.zeros((1, 2), int), np.cumsum(by_source, axis=0)])
    kept = counts.epochs.copy()
    for slot in (0, 1, 63, 64, 65, 192, 239, 240, 241, 304, 479, 480, 700, 719, 720):
        found = plan.tokens_before(slot)
        assert found is not None
        assert found.tolist() == before[slot].tolist()
    # What is told may be written to: it is nobody else's.
    found += 1
    assert counts.epochs.tolist() == kept.tolist()
    assert PLAN.tokens_before(1) is None


@given(
    batches=st.lists(
        st.lists(st.integers(0, 9_000), min_size=1, max_size=6) | st.permutations(range(700, 740)),
        min_size=1,
        max_size=6,
    )
)
def test_it_answers_as_the_plan_does_whatever_the_order(batches: list[list[int]]) -> None:
    ahead = LookAhead(PLAN)
    for batch in batches:
        slots = np.array(batch)
        for answer, truth in zip(ahead.locate(slots), PLAN.locate(slots), strict=True):
            assert np.array_equal(answer, truth)
            assert answer.dtype == truth.dtype


def test_slots_as_far_apart_as_a_window_is_long_are_answered() -> None:
    for apart in (4094, 4095, 4096, 4097):
        slots = np.array([1_000, 1_000 + apart])
        answers = zip(LookAhead(PLAN).locate(slots), PLAN.locate(slots), strict=True)
        assert all(np.array_equal(answer, truth) for answer, truth in answers)


def test_what_is_located_has_the_types_that_it_says() -> None:
    located = PLAN.locate(np.arange(3))
    assert [each.dtype for each in located] == [np.bool_, np.int64, np.int64, np.bool_]


@pytest.mark.parametrize(
    ("then", "ahead_of"),
    [
        # Where reading goes on with the first slot past the window, or over its end.
        (4096, 16384),
        (4080, 16384),
        # And not where it skips one, or goes back.
        (4097, 4096),
        (4000, 0),
        (0, 0),
    ],
)
def test_who_reads_on_is_located_further_ahead(then: int, ahead_of: int) -> None:
    asked: list[int] = []

    class Noting(MixPlan):
        def locate(self, slots: npt.NDArray[np.int64]) -> Located:
            asked.append(len(slots))
            return super().locate(slots)

    ahead = LookAhead(Noting(PLAN.slots, PLAN.orders, PLAN.is_human, 240, 10))
    ahead.locate(np.arange(32))
    ahead.locate(np.arange(then, then + 32))
    assert asked == [0, 4096] + [ahead_of] * (ahead_of > 0)
