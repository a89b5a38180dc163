"""A kind of reading that cannot work is refused where it is made."""

import pytest

from collapse_guard import ArgumentError, ReadingKind

RIGHT = {"name": "mine", "meaning": "of mine", "take": lambda evidence: 0.0}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"name": "my reading"}, "`name` expected letters, digits and underscores"),
        ({"name": ""}, "`name`"),
        ({"name": 3}, "`name`"),
        ({"meaning": ""}, "`meaning` expected a noun phrase"),
        ({"take": 0.5}, "`take` expected a function"),
        ({"take": None}, "`take` expected a function"),
        ({"keep_start": "start"}, "`keep_start` expected a function"),
        (
            {"cost": "cheap"},
            r"`cost` expected one of \['each look', 'whole panel', 'writes text'\]",
        ),
        ({"bad": "up"}, r"`bad` expected one of \['low', 'high', 'either'\]"),
        ({"start": "zero"}, "`start` expected one of"),
    ],
)
def test_bad_arguments(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        ReadingKind(**{**RIGHT, **wrong})


def test_the_least_is_a_name_a_meaning_and_a_function() -> None:
    kind = ReadingKind(**RIGHT)
    assert (kind.cost, kind.start, kind.agrees, kind.logs_error) == (
        *("whole panel", "any"),
        *(False, False),
    )
    # A kind is itself and no other, since functions cannot be compared.
    assert kind != ReadingKind(**RIGHT)
