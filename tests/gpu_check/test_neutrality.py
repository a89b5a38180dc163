"""What the rows of watched runs come to."""

from typing import Any

import pytest

from tests.gpu_check.neutrality import NOTHING, _conditions


def row(again: str = NOTHING, watched: str = NOTHING, **others: Any) -> dict[str, Any]:
    differences = {"an unwatched run differs in": again, "the watched run differs in": watched}
    return {"algorithms": "deterministic", "looks": 5, **differences, **others}


@pytest.mark.parametrize(
    ("rows", "holds"),
    [
        ([row(), row()], [True, True, True]),
        ([row(), row(watched="weights")], [True, False, True]),
        ([row(again="losses", watched="losses")], [False, True, True]),
        # Nobody promised that it would be the same.
        ([row(again="losses", watched="losses", algorithms="as they are")], [True, True, True]),
        ([row(watched="losses", algorithms="as they are")], [True, False, True]),
        ([row(looks=1)], [True, True, False]),
    ],
)
def test_conditions(rows: list[dict[str, Any]], holds: list[bool]) -> None:
    assert list(_conditions(rows).values()) == holds
