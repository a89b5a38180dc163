"""What a reader of lanes has said of itself is gone on from, and nothing else is."""

import json
from collections.abc import Callable
from itertools import islice
from typing import Any

import numpy as np
import pytest

from collapse_guard import ArgumentError, MixStream
from collapse_guard.mixing.streaming.lane_states import check_lanes_held
from collapse_guard.statistics.json_forms import MOST as FARTHEST, Part
from tests.mixing.sharded import make_lanes
from tests.mixing.streams import Noted

pytestmark = pytest.mark.usefixtures("few_slots_at_a_time")


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (lambda state: state.pop("lanes"), "state"),
        (lambda state: state.update(sources=[]), "state"),
        (lambda state: state["lanes"].pop(), 'state["lanes"]'),
        (lambda state: state["lanes"][1].pop(), 'state["lanes"][1]'),
        (lambda state: state.update(size=8), 'state["size"]'),
        (lambda state: state.update(readers=3, shown=100), 'state["readers"]'),
        (lambda state: state.update(readers=2, base=6), 'state["base"]'),
        (lambda state: state["lanes"][1][0].update(draw=90), 'state["lanes"][1][0]["draw"]'),
        (
            lambda state: state["lanes"][0][0]["stream"].update(shard=1),
            'state["lanes"][0][0]["stream"]["shard"]',
        ),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_changed(
    change: Callable[[Any], object], path: str
) -> None:
    stream = make_lanes()
    list(islice(stream, 300))
    state = json.loads(json.dumps(stream.state_dict()))
    change(state)
    resumed = make_lanes()
    before = resumed.state_dict()
    with pytest.raises(ArgumentError) as told:
        resumed.load_state_dict(state)
    assert str(told.value).startswith(f"argument `{path}` ")
    assert resumed.state_dict() == before


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"size": 8}, "expected 4, as the stream's batch_size"),
        ({"readers": 3, "shown": 100}, "expected a divisor of 8 lanes"),
        ({"readers": 2, "base": 6}, "expected a multiple of batch_size=4"),
    ],
)
def test_what_is_told_says_what_would_fit(change: dict[str, Any], expected: str) -> None:
    stream = make_lanes()
    list(islice(stream, 300))
    with pytest.raises(ArgumentError, match=expected):
        make_lanes().load_state_dict({**stream.state_dict(), **change})


@pytest.mark.parametrize(("readers", "first"), [(1, 6), (1, 8), (2, 8)])
def test_a_reader_goes_on_from_where_it_began_late(readers: int, first: int) -> None:
    def make() -> MixStream:
        return make_lanes(batch_size=4).shard(readers, 0)

    stream = make()
    stream.resume_at(first)
    whole = list(stream)
    again = make()
    again.resume_at(first)
    shown = list(islice(again, 3))
    resumed = make()
    resumed.load_state_dict(json.loads(json.dumps(again.state_dict())))
    assert [*shown, *resumed] == whole


def test_a_state_of_an_endless_stream_far_ahead_is_judged_at_once() -> None:
    stream = make_lanes(length=None, max_repeats=None)
    list(islice(stream, 300))
    state = {**stream.state_dict(), "base": 2**50}
    with pytest.raises(ArgumentError, match="expected 0, or a whole number from"):
        make_lanes(length=None, max_repeats=None).load_state_dict(state)


class Slots:
    """A lane that has had two slots more than the lane before it, each of which is of a source."""

    def __init__(self, lane: int) -> None:
        self.lane = lane

    def places_before(self, slot: int) -> int:
        # All slots of a reader who has seen 9: its next portion is its third, of 4 slots each.
        assert slot == 9
        return 4 + 2 * self.lane

    def draws_before(self, place: int) -> Any:
        return np.array([place, 10 * place])


class Lanes:
    size = 4
    slots = (Slots(0), Slots(1))

    def __len__(self) -> int:
        return 2


@pytest.mark.parametrize(
    ("ahead", "drawn", "furthest"),
    # From the lane's last whole portion: of 4 and of 6 slots, the fourth.
    [(100, 4, 104), (None, None, None)],
)
def test_what_a_lane_may_have_drawn_is_what_its_whole_portions_have(
    ahead: int | None, drawn: int | None, furthest: int | None
) -> None:
    cursors: dict[int, list[Noted]] = {}
    state = {
        "base": 0,
        "size": 4,
        "readers": 1,
        "reader": 0,
        "shown": 9,
        "lanes": [["h0", "s0"], ["h1", "s1"]],
    }
    parts = {name: Part(name, value) for name, value in state.items()}

    def open_cursors(lane: int) -> Any:
        return cursors.setdefault(lane, [Noted(), Noted()])

    check_lanes_held(parts, Lanes(), open_cursors, ahead=ahead)  # type: ignore[arg-type]
    most = (FARTHEST, FARTHEST) if drawn is None else (drawn, 10 * drawn)
    assert {lane: [each.told for each in pair] for lane, pair in cursors.items()} == {
        lane: [
            [(f"{kind}{lane}", limit, furthest)]
            for kind, limit in zip(("h", "s"), most, strict=True)
        ]
        for lane in (0, 1)
    }
