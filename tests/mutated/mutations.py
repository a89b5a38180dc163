"""What befalls states and files: everything that a broken disk, a merge or an attacker does."""

import math
import random
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

STRANGE: tuple[Any, ...] = (
    None,
    "x",
    -1,
    0,
    2**70,
    0.5,
    math.nan,
    math.inf,
    -math.inf,
    1e308,
    -1e308,
    True,
    [],
    {},
    [1],
    {"a": 1},
    [None],
    b"bytes",
)
"""What stands in place of another value."""

DEPTH = 3000
"""Lists in lists, more than Python's stack holds."""

Place = tuple[Any, Any]
"""A mapping or a list, and the key or index of something in it."""


def mutated(state: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """A copy of a state in which one thing is otherwise.

    Args:
        state: Of plain JSON types.
        chance: Decides where, and what.
    """
    changed = deepcopy(state)
    inside, key = _place(changed, chance)
    chance.choice(_CHANGES)(inside, key, chance)
    return changed


def flipped(content: bytes, chance: random.Random) -> bytes:
    """A file some bytes of which are others."""
    changed = bytearray(content)
    for _ in range(chance.choice((1, 1, 4, 64))):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def cut(content: bytes, chance: random.Random) -> bytes:
    """A file that ends early, begins late, or lacks something in between."""
    first, last = sorted(chance.randrange(len(content) + 1) for _ in range(2))
    return chance.choice((content[:first], content[first:], content[:first] + content[last:]))


def doubled(content: bytes, chance: random.Random) -> bytes:
    """A file a part of which comes twice."""
    first, last = sorted(chance.randrange(len(content) + 1) for _ in range(2))
    return content[:last] + content[first:]


def _place(state: dict[str, Any], chance: random.Random) -> Place:
    """Any place; those in long lists no likelier than others."""
    inside: Any = state
    while True:
        places = list(inside) if isinstance(inside, dict) else range(len(inside))
        key = chance.choice(places)
        inner = inside[key]
        if not isinstance(inner, dict | list) or not inner or chance.random() < 0.2:
            return inside, key
        inside = inner


def _strange(inside: Any, key: Any, chance: random.Random) -> None:
    inside[key] = deepcopy(chance.choice(STRANGE))


def _gone(inside: Any, key: Any, chance: random.Random) -> None:
    del inside[key]


def _added(inside: Any, key: Any, chance: random.Random) -> None:
    more = deepcopy(chance.choice((inside[key], *STRANGE)))
    if isinstance(inside, dict):
        inside[f"{key} too"] = more
    else:
        inside.insert(chance.randrange(len(inside) + 1), more)


def _moved(inside: Any, key: Any, chance: random.Random) -> None:
    """What belongs to one place is in another's."""
    other = chance.choice(list(inside) if isinstance(inside, dict) else range(len(inside)))
    inside[key], inside[other] = inside[other], inside[key]


def _cut(inside: Any, key: Any, chance: random.Random) -> None:
    value = inside[key]
    if isinstance(value, list | str) and value:
        inside[key] = value[: chance.randrange(len(value))]
    else:
        inside[key] = None


def _longer(inside: Any, key: Any, chance: random.Random) -> None:
    value = inside[key]
    inside[key] = 2 * value if isinstance(value, list | str) else [value, value]


def _other_number(inside: Any, key: Any, chance: random.Random) -> None:
    value = inside[key]
    if isinstance(value, int | float):
        inside[key] = chance.choice((-value, value + 1, value - 1, value * 1e3, str(value)))
    elif isinstance(value, str):
        place = chance.randrange(len(value) + 1)
        inside[key] = value[:place] + chance.choice("aZ0 \0é=") + value[place + 1 :]
    else:
        inside[key] = not value


def _hollow(inside: Any, key: Any, chance: random.Random) -> None:
    """A single leaf, somewhere inside, is none."""
    value = inside[key]
    if isinstance(value, dict | list) and value:
        inner, at = _place(value, chance)
        inner[at] = chance.choice((None, math.nan))
    else:
        inside[key] = None


def _deep(inside: Any, key: Any, chance: random.Random) -> None:
    nested: list[Any] = []
    for _ in range(DEPTH):
        nested = [nested]
    inside[key] = nested


_CHANGES: tuple[Callable[[Any, Any, random.Random], None], ...] = (
    _strange,
    _strange,
    _strange,
    _gone,
    _added,
    _moved,
    _cut,
    _longer,
    _other_number,
    _other_number,
    _hollow,
    _deep,
)


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Everything in a state that holds nothing itself, by its path."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif isinstance(value, list | tuple):
        for place, inner in enumerate(value):
            yield from leaves(inner, (*path, place))
    else:
        yield path, value
