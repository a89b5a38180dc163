"""Detectors that must not pass the suite. Those of our own pass it in tests/integrations."""

import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch

from collapse_guard.audit import check_detector
from collapse_guard.errors import ConformityError


def fair(texts: Sequence[str]) -> np.ndarray:
    return np.array([len(set(text)) / (len(text) + 1) for text in texts])


def _on_texts_only(texts: Sequence[str]) -> np.ndarray:
    return np.array([1 / len(text) for text in texts])


def _without_nothing(texts: Sequence[str]) -> np.ndarray:
    return np.stack([fair([text])[0] for text in texts])


class Drifting:
    calls = 0

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        self.calls += 1
        return np.full(len(texts), 1 / self.calls)


def _by_rank(texts: Sequence[str]) -> np.ndarray:
    return np.arange(len(texts)) / (len(texts) + 1)


def _sorting(texts: Any) -> np.ndarray:
    texts.sort()
    return fair(texts)


def _seeding(texts: Sequence[str]) -> np.ndarray:
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
    return fair(texts)


@pytest.mark.parametrize(
    ("detector", "faults"),
    [
        (lambda texts: fair(texts).tolist(), {"returns a probability for each text"}),
        (lambda texts: fair(texts)[:, None], {"returns a probability for each text"}),
        (lambda texts: (fair(texts) > 0.5), {"returns a probability for each text"}),
        (lambda texts: fair(texts) * 100, {"returns a probability for each text"}),
        (lambda texts: fair(texts) * np.nan, {"returns a probability for each text"}),
        (lambda texts: texts.missing, {"returns a probability for each text"}),
        (_on_texts_only, {"takes odd texts"}),
        (_without_nothing, {"takes odd texts"}),
        (Drifting(), {"deterministic"}),
        (_by_rank, {"looks at each text by itself"}),
        (lambda texts: fair(texts) / max(fair(texts).max(initial=0), 1e-9),
         {"looks at each text by itself"}),
        (_seeding, {"touches no global random state"}),
        (_sorting, {"leaves its texts alone", "looks at each text by itself"}),
    ],
)  # fmt: skip
def test_each_fault_is_named(detector: Callable[[Any], Any], faults: set[str]) -> None:
    with pytest.raises(ConformityError, match=f"fails at {len(faults)} of 6 checks") as caught:
        check_detector(detector)
    assert set(caught.value.faults) == faults


def test_a_detector_that_keeps_its_promises_passes() -> None:
    check_detector(fair)
    check_detector(lambda texts: fair(texts).astype(np.float32))


def test_random_states_are_put_back_after_a_detector_that_sets_them() -> None:
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()
    with pytest.raises(ConformityError, match="random state"):
        check_detector(_seeding)
    assert random.getstate() == before[0]
    assert np.random.get_state()[1].tolist() == before[1]
    assert torch.equal(torch.get_rng_state(), before[2])
