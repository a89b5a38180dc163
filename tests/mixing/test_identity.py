"""A state goes on in the mix that it was taken of, and in no other."""

import json
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import islice
from typing import Any

import numpy as np
import pytest

from collapse_guard import ArgumentError, MixGuard, MixStream, RareBoost, Source
from collapse_guard.mixing.identity import another_mix, differences

LENGTH = 80


class Rows:
    """A stream that can be read again and again."""

    def __init__(self, mark: str) -> None:
        self.mark = mark

    def __iter__(self) -> Iterator[str]:
        return (f"{self.mark}{number}" for number in range(900))


def stream(
    *, weight: Any = 1, least: Any = 0.0, cap: Any = 1.0, rows: int = 40, **settings: Any
) -> MixStream:
    arguments = {"human_fraction": 0.3, "block_size": 10, "length": LENGTH, "shuffle_buffer": 4}
    arguments |= {"max_repeats": 3} | settings
    names = arguments.pop("names", ["old", "new"])
    synthetic = [
        Source(Rows("s"), names[0], "synthetic", generation=1, weight=weight),
        Source([f"t{n}" for n in range(rows)], names[1], "synthetic", 2, min_fraction=least),
    ]
    synthetic[1] = Source(
        synthetic[1].rows, names[1], "synthetic", 2, min_fraction=least, max_fraction=cap
    )
    return MixStream(Rows("h"), synthetic, **arguments)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"human_fraction": 0.5}, "human_fraction: the state has 0.3, this mix 0.5"),
        (
            {"human_fraction": [(0.5, 0.3), (1.0, 0.5)]},
            "human_fraction: the state has 0.3, this mix 0.3 until 0.5, 0.5 until 1.0",
        ),
        ({"human_fraction": lambda at: at / 2}, "human_fraction: the state has 0.3, this mix 1000"),
        ({"weight": Fraction(1, 3)}, "weight of source 'old': the state has 1.0, this mix 1/3"),
        ({"least": 0.1}, "min_fraction of source 'new': the state has 0.0, this mix 0.1"),
        ({"cap": 0.9}, "max_fraction of source 'new': the state has 1.0, this mix 0.9"),
        ({"rows": 41}, "rows of source 'new': the state has 40, this mix 41"),
        ({"generation_decay": 0.5}, "generation_decay: the state has 1.0, this mix 0.5"),
        (
            {"names": ["new", "old"]},
            "sources: the state has ['human', 'old', 'new'], this mix ['human', 'new', 'old']",
        ),
        ({"block_size": 20}, "block_size: the state has 10, this mix 20"),
        ({"seed": 7}, "seed: the state has 0, this mix 7"),
        ({"shuffle_buffer": 5}, "shuffle_buffer: the state has 4, this mix 5"),
        ({"length": None}, "length: the state has 80, this mix None"),
        ({"max_repeats": None}, "max_repeats: the state has 3, this mix None"),
    ],
)
@pytest.mark.parametrize("shown", [0, 33])
def test_a_state_of_another_stream_is_refused_by_what_differs(
    changed: dict[str, Any], told: str, shown: int
) -> None:
    reading = stream()
    list(islice(reading, shown))
    states = [reading.state_dict()]
    reading.resume_at(shown)
    states.append(reading.state_dict())
    for state in json.loads(json.dumps(states)):
        other = stream(**changed)
        before = other.state_dict()
        with pytest.raises(ArgumentError) as caught:
            other.load_state_dict(state)
        assert told in str(caught.value)
        assert other.state_dict() == before
        same = stream()
        same.load_state_dict(state)
        assert list(same) == list(stream())[shown:]


def test_equal_numbers_of_any_type_are_the_same_mix() -> None:
    state = stream(weight=2, human_fraction=0.5, seed=3).state_dict()
    others = {"weight": Fraction(2), "human_fraction": Fraction(1, 2), "seed": np.int64(3)}
    for name, value in others.items():
        stream(**{"weight": 2.0, "human_fraction": 0.5, "seed": 3, name: value}).load_state_dict(
            json.loads(json.dumps(state))
        )


def test_a_floor_of_many_stages_stays_small_and_is_told_from_others() -> None:
    told = [stream(human_fraction=lambda at, top=top: at * top).identity for top in (0.5, 0.6)]
    assert max(len(json.dumps(each)) for each in told) < 1200
    assert [line.split(":")[0] for line in differences(*told)] == ["human_fraction"]


def guard(**settings: Any) -> MixGuard:
    arguments: dict[str, Any] = {"human_fraction": 0.3, "block_size": 10} | settings
    return MixGuard(
        [{"t": "h", "n": n % 3} for n in range(40)], [{"t": "s", "n": 0}] * 60, **arguments
    )


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"human_fraction": "golden"}, "human_fraction: the state has 0.3, this mix "),
        ({"epochs": np.int64(2)}, "epochs: the state has 1, this mix 2"),
        ({"length": 50}, "length: the state has 100, this mix 50"),
        ({"boost": RareBoost(2, by="n")}, "boost: the state has None, this mix 2.0 by 'n' of "),
    ],
)
def test_guards_are_told_apart_as_well(changed: dict[str, Any], told: str) -> None:
    saved = json.loads(json.dumps(guard().identity))
    assert differences(saved, guard().identity) == []
    [found] = differences(saved, guard(**changed).identity)
    assert found.startswith(told)


@pytest.mark.parametrize(
    "break_it",
    [
        lambda mix: mix.pop("sources"),
        lambda mix: mix.update(sources={}),
        lambda mix: mix["sources"].append(None),
        lambda mix: mix["sources"].append(mix["sources"][0]),
        lambda mix: mix.update(sources=["human", "synthetic"]),
        lambda mix: mix["sources"][0].update(more=1),
        lambda mix: mix.update(block_size=True),
        lambda mix: mix.update(more=[]),
    ],
)
def test_what_is_no_identity_is_none_of_this_mix(break_it: Callable[[Any], object]) -> None:
    own = guard().identity
    saved = guard().identity
    break_it(saved)
    assert differences(saved, own)


def test_an_error_names_a_few() -> None:
    told = str(another_mix("state", [f"part {number}" for number in range(9)]))
    assert "part 4; and 4 more: make the mix with the arguments" in told
    assert "part 5" not in told
