from collections import Counter

import numpy as np
import numpy.typing as npt
from hypothesis import given, strategies as st

from collapse_guard.mixing.lookahead import LookAhead
from collapse_guard.mixing.plan import MixPlan
from collapse_guard.mixing.quota import Quota
from collapse_guard.mixing.strata import Strata
from collapse_guard.mixing.stream import RowStream

PLAN = MixPlan(
    Quota.of(0.3, 8),
    human=RowStream(Strata.unranked(100), [90], key=(0, 0)),
    synthetic=RowStream(Strata.unranked(200), [150], key=(0, 1)),
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
        def locate(
            self, slots: npt.NDArray[np.int64]
        ) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
            calls.update(slots.tolist())
            return super().locate(slots)

    ahead = LookAhead(Counting(PLAN.quota, PLAN.human, PLAN.synthetic))
    for start in range(0, 4096, 32):
        ahead.locate(np.arange(start, start + 32))
    assert calls == Counter(range(4096))
