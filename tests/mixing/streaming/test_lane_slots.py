from collections import Counter

import numpy as np
from hypothesis import given, settings, strategies as st

from collapse_guard.mixing.order.slots import Leg, Slots
from collapse_guard.mixing.streaming import lane_slots
from collapse_guard.mixing.streaming.lane_slots import LaneSlots

# Two human sources, which share 4 of 10 slots, and two synthetic ones; then all are human.
LEG = Leg(6, 1, 4, (14, 10, 0, 0), (0, 0, 24, 12), (0,) * 4, (0,) * 4)
ALL_HUMAN = Leg(9, 1, 10, (45, 45, 0, 0), (0,) * 4, (0,) * 4, (0,) * 4)


@settings(max_examples=30)
@given(lanes=st.integers(1, 6), size=st.integers(1, 7), both=st.booleans(), apart=st.integers(1, 5))
def test_lanes_share_out_the_slots_and_count_their_own_draws(
    lanes: int, size: int, both: bool, apart: int
) -> None:
    slots = Slots([LEG, ALL_HUMAN] if both else [LEG], 10)
    sources = slots.assign(np.arange(lanes * size * 20))[0].tolist()
    seen = []
    kept, lane_slots._APART = lane_slots._APART, apart
    try:
        for lane in range(lanes):
            mine = LaneSlots(slots, lane=lane, lanes=lanes, size=size, repeats=not both)
            numbers = mine.slots(np.arange(size * 20)).tolist()
            seen += numbers
            assigned, draws = mine.assign(np.arange(size * 20))
            counts: Counter[int] = Counter()
            for place, (slot, source, draw) in enumerate(
                zip(numbers, assigned.tolist(), draws.tolist(), strict=True)
            ):
                assert slot // size % lanes == lane
                assert (source, draw) == (sources[slot], counts[source])
                assert mine.places_before(slot) == place
                counts[source] += 1
            # In any order of asking.
            for place in (3, size * 20, 0, size * 7 + 1, size * 7):
                expected = np.bincount(assigned[:place], minlength=4).tolist()
                assert mine.draws_before(place).tolist() == expected
    finally:
        lane_slots._APART = kept
    assert sorted(seen) == list(range(lanes * size * 20))


def test_what_repeats_is_counted_once() -> None:
    """A count to the end of time would take as long."""
    mine = LaneSlots(Slots([LEG], 10), lane=1, lanes=3, size=4, repeats=True)
    period = 60 // 12 * 4
    by_period = mine.draws_before(period)
    assert by_period.sum() == period
    assert mine.draws_before(2**50 * period).tolist() == (by_period * 2**50).tolist()
