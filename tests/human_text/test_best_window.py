import numpy as np
import pytest

from collapse_guard.human_text.best_window import best_window


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
