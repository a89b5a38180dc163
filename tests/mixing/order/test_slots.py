from collections import Counter

import numpy as np
from hypothesis import given, strategies as st

from collapse_guard.mixing.order.slots import Leg, Slots


@st.composite
def legs(draw: st.DrawFn) -> tuple[list[Leg], int]:
    """Legs over two human sources and two synthetic ones, with something reserved or not."""
    block_size = draw(st.integers(2, 9))
    made = []
    for _ in range(draw(st.integers(1, 3))):
        blocks, human = draw(st.integers(1, 5)), draw(st.integers(0, block_size))
        reserved = [draw(st.integers(0, side)) for side in (human, block_size - human)]
        sides = []
        for side, kept in zip((human, block_size - human), reserved, strict=True):
            first = draw(st.integers(blocks * kept, blocks * side))
            sides.append((first, blocks * side - first))
        made.append(
            Leg(
                blocks,
                draw(st.integers(1, 3)),
                human,
                floor=(*sides[0], 0, 0),
                rest=(0, 0, *sides[1]),
                floor_reserved=(blocks * reserved[0], 0, 0, 0),
                rest_reserved=(0, 0, blocks * reserved[1], 0),
            )
        )
    return made, block_size


@given(case=legs())
def test_every_period_and_every_block_hold_what_was_split(case: tuple[list[Leg], int]) -> None:
    made, block_size = case
    slots = Slots(made, block_size)
    length = sum(leg.blocks * leg.periods for leg in made) * block_size
    sources, draws = slots.assign(np.arange(length))
    start = 0
    for leg in made:
        for _ in range(leg.periods):
            period = sources[start : start + leg.blocks * block_size]
            assert np.bincount(period, minlength=4).tolist() == list(leg.draws)
            for block in period.reshape(-1, block_size):
                counts = np.bincount(block, minlength=4)
                assert counts[:2].sum() == leg.human_per_block
                assert counts[0] >= leg.floor_reserved[0] // leg.blocks
                assert counts[2] >= leg.rest_reserved[2] // leg.blocks
            start += leg.blocks * block_size
    shown: Counter[int] = Counter()
    for slot, (source, draw) in enumerate(zip(sources.tolist(), draws.tolist(), strict=True)):
        assert slots.draws_before(slot).tolist() == [shown[number] for number in range(4)]
        assert draw == shown[source]
        shown[source] += 1


@given(case=legs())
def test_the_last_leg_goes_on_for_ever_and_no_block_holds_fewer_human_rows(
    case: tuple[list[Leg], int],
) -> None:
    made, block_size = case
    slots = Slots(made, block_size)
    length = sum(leg.blocks * leg.periods for leg in made) * block_size
    sources, _ = slots.assign(np.arange(length + slots.period))
    assert sources[length:].tolist() == sources[length - slots.period : length].tolist()
    assert slots.period == made[-1].blocks * block_size
    human = (sources < 2).reshape(-1, block_size).sum(1)
    assert human.min() == slots.fewest_human
