"""What a stream has said of itself is gone on from, and nothing else is."""

import json
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import numpy as np
import pytest

from collapse_guard import ArgumentError, MixStream
from collapse_guard.mixing.streaming.states import check_state
from collapse_guard.statistics.json_forms import MOST as FARTHEST
from tests.mixing.streams import Noted


class Numbers:
    """A stream that can be read again and again."""

    def __init__(self, first: int) -> None:
        self.first = first

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.first, self.first + 70))


def make_stream(length: int | None = 96) -> MixStream:
    rows = [f"row {number}" for number in range(60)]
    settings = {"human_fraction": 0.5, "block_size": 8, "shuffle_buffer": 16, "batch_size": 4}
    return MixStream(Numbers(0), rows, length=length, **settings)


def state_after(shown: int, **settings: Any) -> Any:
    stream = make_stream(**settings)
    for _ in islice(stream, shown):
        pass
    return json.loads(json.dumps(stream.state_dict()))


@pytest.mark.parametrize("length", [96, None])
def test_every_state_on_the_way_goes_on(length: int | None) -> None:
    whole = list(make_stream(length))
    for shown in range(len(whole)):
        resumed = make_stream(length)
        resumed.load_state_dict(state_after(shown, length=length))
        assert list(resumed) == whole[shown:], shown


def test_so_does_a_slot_to_resume_at_before_and_after_it_is_read_from() -> None:
    whole, stream = list(make_stream()), make_stream()
    stream.resume_at(88)
    reading, state = iter(stream), stream.state_dict()
    resumed = make_stream()
    resumed.load_state_dict(state)
    assert list(resumed) == list(reading) == whole[88:]


def test_a_slot_that_nothing_was_read_from_yet_is_a_state_too() -> None:
    whole, stream = list(make_stream()), make_stream()
    stream.resume_at(88)
    state = json.loads(json.dumps(stream.state_dict()))
    assert set(state) == {"version", "stream", "base"}
    resumed = make_stream()
    resumed.load_state_dict(state)
    assert list(resumed) == whole[88:]
    for base in (-1, 2**63, 1.5):
        with pytest.raises(ArgumentError, match=r'^argument `state\["base"\]` expected a whole'):
            make_stream().load_state_dict({**state, "base": base})


def test_the_state_of_another_stream_is_refused_by_name() -> None:
    state = state_after(40)
    for change in ({"version": 0}, {"version": True}, {"stream": {**state["stream"], "seed": 7}}):
        with pytest.raises(ArgumentError, match=r"^argument `state` expected"):
            make_stream().load_state_dict({**state, **change})


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (lambda state: state.pop("shown"), "state"),
        (lambda state: state.update(more=1), "state"),
        (lambda state: state.update(base=10_000), 'state["base"]'),
        (lambda state: state.update(base=-1), 'state["base"]'),
        (lambda state: state.update(size=0), 'state["size"]'),
        (lambda state: state.update(reader=1), 'state["reader"]'),
        (lambda state: state.update(shown=10_000), 'state["shown"]'),
        (lambda state: state["sources"].pop(), 'state["sources"]'),
        (lambda state: state["sources"][1].update(draw=0), 'state["sources"][1]'),
        (lambda state: state["sources"][0].update(draw=90), 'state["sources"][0]["draw"]'),
        (lambda state: state["sources"][0].update(row=1.5), 'state["sources"][0]["row"]'),
        (lambda state: state["sources"][0].update(supply=-1), 'state["sources"][0]["supply"]'),
        (lambda state: state["sources"][0].update(stream={}), 'state["sources"][0]["stream"]'),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_changed(
    change: Callable[[Any], object], path: str
) -> None:
    stream, state = make_stream(), state_after(40)
    change(state)
    before = stream.state_dict()
    with pytest.raises(ArgumentError) as told:
        stream.load_state_dict(state)
    assert str(told.value).startswith(f"argument `{path}` ")
    assert stream.state_dict() == before


def test_a_source_is_not_read_again_for_longer_than_it_is_kept() -> None:
    stream = make_stream(length=None)
    state = state_after(60, length=None)
    state["base"] = 2**40
    state["sources"][0] |= {"draw": 1, "supply": None}
    with pytest.raises(ArgumentError, match="expected 0, or a whole number from"):
        stream.load_state_dict(state)


def numbers(**changed: int) -> dict[str, Any]:
    """What the second of three readers says, which take 4 slots each in turn from slot 8 on."""
    at = {"base": 8, "size": 4, "readers": 3, "reader": 1, "shown": 0, **changed}
    return {"version": 1, "stream": {}, **at, "sources": ["human", "synthetic"]}


def check(state: dict[str, Any], open_cursors: Any, *, ahead: int | None = 100) -> None:
    """Hold it against a stream of 96 slots, of which every third is human."""
    check_state(
        state,
        version=1,
        identity={},
        length=96,
        open_cursors=open_cursors,
        shown_before=lambda slots: np.array([slots // 3, slots - slots // 3]),
        ahead=ahead,
    )


@pytest.mark.parametrize(
    ("at", "too_far"),
    [
        # 88 slots are left, which are 8 whole turns of all readers: the ninth is the last.
        ({"shown": 36}, {"shown": 37}),
        # Rounded up to a turn of all readers, the stream ends at slot 108.
        ({"base": 108, "shown": 4}, {"base": 109}),
        ({"base": 108, "shown": 4}, {"base": 108, "shown": 5}),
    ],
)
def test_nobody_was_further_than_the_end(at: dict[str, int], too_far: dict[str, int]) -> None:
    check(numbers(**at), lambda lane: [Noted(), Noted()])
    with pytest.raises(ArgumentError, match="expected a whole number from 0 to"):
        check(numbers(**too_far), lambda lane: [Noted(), Noted()])


@pytest.mark.parametrize(
    ("ahead", "drawn", "furthest"),
    # 2 whole portions of 4 slots of each of 3 readers, from slot 8 on: slot 32 is the next.
    [(100, [10, 22], 112), (None, [FARTHEST, FARTHEST], None)],
)
def test_what_a_source_may_have_drawn_is_what_all_readers_have(
    ahead: int | None, drawn: list[int], furthest: int | None
) -> None:
    cursors = [Noted(), Noted()]
    opened: list[int] = []

    def open_cursors(lane: int) -> list[Any]:
        opened.append(lane)
        return cursors

    state = numbers(shown=11)
    check(state, open_cursors, ahead=ahead)
    assert [each.told for each in cursors] == [
        [("human", drawn[0], furthest)],
        [("synthetic", drawn[1], furthest)],
    ]
    assert opened == [0]
