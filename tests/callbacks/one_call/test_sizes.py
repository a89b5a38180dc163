"""How much is looked at follows from what a run can pay for."""

import numpy as np
import pytest

from collapse_guard import Sampling
from collapse_guard.callbacks.one_call.sizes import (
    Length,
    affordable,
    best_window,
    looking,
    sees_enough,
    with_tail,
    writing,
)
from tests.tiny import tiny_panel


def documents(*lengths: int) -> list[np.ndarray]:
    return [np.zeros(length, dtype=np.int64) for length in lengths]


@pytest.mark.parametrize(
    ("lengths", "positions", "window"),
    [
        ([200] * 9, None, 128),
        ([200] * 9, 64, 64),
        ([200] * 5 + [50] * 5, None, 48),
        ([200] * 7 + [50] * 3, None, 128),
        ([200] * 100 + [20] * 900, None, 128),
        ([3, 4], None, 8),
    ],
)
def test_the_window_leaves_most_documents_in(
    lengths: list[int], positions: int | None, window: int
) -> None:
    assert best_window(documents(*lengths), positions) == window


@pytest.mark.parametrize(
    ("steps", "windows"), [(1, 32), (133, 32), (134, 32), (267, 64), (10**6, 512)]
)
def test_a_longer_run_pays_for_more_windows(steps: int, windows: int) -> None:
    # 2% of 3 passes of 1,024 tokens a step pay for 2 looks at windows of 128 tokens.
    length = Length(steps, 1024)
    assert affordable(length, 128) == windows
    if windows > 32:
        assert looking(windows, 128) <= 0.02 * length.cost


def test_a_run_of_unknown_length_gets_the_usual_panel() -> None:
    assert affordable(None, 128) == 256


def test_writing_costs_what_is_written_and_nothing_costs_nothing() -> None:
    little = Sampling(num_free=3, num_prompts=2, samples_per_prompt=2, length=8)
    assert writing(little) == 2 * 4 * 7 * 8
    assert writing(None) == 0


def test_documents_with_rare_tokens_are_counted() -> None:
    panel = tiny_panel()
    owners = panel.document_ids.tolist()
    tail = panel.tail_positions.any(1).tolist()
    found = {owner for owner, has in zip(owners, tail, strict=True) if has}
    assert with_tail(panel) == len(found)
    assert sees_enough(panel) == (len(found) >= 30)
