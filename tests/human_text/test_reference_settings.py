"""What a file says of a reference is checked before there is one."""

import json
from typing import Any

import numpy as np
import pytest

from collapse_guard.human_text.reference_settings import check_counts, reference_settings

SETTINGS: dict[str, Any] = {
    "format": 2,
    "fingerprint": None,
    "tail_mass": 0.1,
    "smoothing": 1.0,
    "special_ids": [1, 3],
    "left_out": {"padding": 4},
}


def test_settings_are_those_of_the_constructor() -> None:
    expected = {name: value for name, value in SETTINGS.items() if name != "format"}
    assert reference_settings(json.dumps(SETTINGS), 4) == {**expected, "special_ids": (1, 3)}


@pytest.mark.parametrize(
    "change",
    [
        {"format": 3},
        {"format": True},
        {"format": None},
        {"fingerprint": 5},
        {"tail_mass": "x"},
        {"smoothing": float("nan")},
        {"smoothing": float("inf")},
        {"special_ids": [3, 1]},
        {"special_ids": [4]},
        {"special_ids": [-1]},
        {"left_out": {"padding": -1}},
        {"more": 1},
    ],
)
def test_others_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="settings"):
        reference_settings(json.dumps({**SETTINGS, **change}), 4)


def test_what_is_no_json_is_refused() -> None:
    for written in ("", "[" * 100_000, "null", '"text"'):
        with pytest.raises(ValueError):  # noqa: PT011
            reference_settings(written, 4)


def test_counts_are_whole_numbers() -> None:
    np.testing.assert_array_equal(check_counts(np.array([3, 0])), [3, 0])
    wrong = ([], [[1]], [-1, 2], [0.5], ["a"], [2**62] * 4)
    for counts in wrong:
        with pytest.raises(ValueError, match="counts are"):
            check_counts(np.array(counts))
