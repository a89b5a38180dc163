from collections import Counter

import numpy as np
import numpy.typing as npt
from hypothesis import given, strategies as st

from collapse_guard.mixing.order.plan import Located, LookAhead, MixPlan
from collapse_guard.mixing.order.row_order import RowOrder
from collapse_guard.mixing.order.slots import Leg, Slots
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
    for start in range(0, 4096, 32):
        ahead.locate(np.arange(start, start + 32))
    assert calls == Counter(range(4096))
