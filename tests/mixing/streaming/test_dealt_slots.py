from collections import Counter

import numpy as np
from hypothesis import given, strategies as st

from collapse_guard.mixing.order.slots import Leg, Slots
from collapse_guard.mixing.streaming.dealt_slots import DealtSlots

# Two human sources, which share 4 of 10 slots, and two synthetic ones.
SLOTS = Slots([Leg(6, 1, 4, (14, 10, 0, 0), (0, 0, 24, 12), (0,) * 4, (0,) * 4)], 10)


@given(
    supplies=st.tuples(st.integers(0, 60), st.integers(0, 60)),
    start=st.integers(0, 150),
    length=st.integers(1, 60),
)
def test_human_sources_stand_in_one_after_another(
    supplies: tuple[int, int], start: int, length: int
) -> None:
    dealt = DealtSlots(SLOTS, human=[0, 1])
    for source, supply in zip((2, 3), supplies, strict=True):
        dealt.hand_over(source, supply)
    asked, shown = Counter[int](), Counter[int]()
    handed_over, expected = 0, []
    for wanted in SLOTS.assign(np.arange(start + length))[0].tolist():
        source = wanted
        if wanted >= 2 and asked[wanted] >= supplies[wanted - 2]:
            source, handed_over = handed_over % 2, handed_over + 1
        asked[wanted] += 1
        expected.append((source, shown[source]))
        shown[source] += 1
    sources, draws = dealt.assign(start, start + length)
    assert list(zip(sources.tolist(), draws.tolist(), strict=True)) == expected[start:]
    assert dealt.shown_before(start + length).tolist() == [shown[source] for source in range(4)]


def test_nothing_changes_where_no_source_is_dry() -> None:
    slots = np.arange(5, 95)
    for ours, theirs in zip(
        DealtSlots(SLOTS, human=[0, 1]).assign(5, 95), SLOTS.assign(slots), strict=True
    ):
        assert np.array_equal(ours, theirs)
