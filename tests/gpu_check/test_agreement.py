"""The checks of loss and cuts fail where something is wrong."""

import time
from pathlib import Path
from typing import Any

import pytest
import torch

from collapse_guard import Decoding, sampler_matched_loss
from tests.gpu_check import agreement
from tests.gpu_check.checks import Place
from tests.model.warpers import by_warpers


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path, time.monotonic() + 60, small=True)


def test_a_wrong_gradient_is_found(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def every_other_wrong(*arguments: Any, **settings: Any) -> torch.Tensor:
        calls.append(1)
        return sampler_matched_loss(*arguments, **settings) * (1 + 1e-3 * (len(calls) % 2))

    monkeypatch.setattr(agreement, "sampler_matched_loss", every_other_wrong)
    near, *plain = agreement.gradients(place).conditions.values()
    assert not near
    assert plain == [False, True]


def test_other_types_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    scaled = torch.tensor([[3.0, 2.0, 1.0, 0.0]] * 4)
    decoding = Decoding(top_k=2)

    def ours(rows: torch.Tensor, decoding: Decoding) -> torch.Tensor:
        kept = by_warpers(rows, decoding).clone()
        kept[1, 2] = True  # one more
        kept[2] = kept[2].flip(0)  # two others
        return kept

    assert agreement._differing(scaled, decoding, True) == (0, 0)
    monkeypatch.setattr(agreement, "ours", ours)
    assert agreement._differing(scaled, decoding, True) == (2, 2)


def test_another_cut_is_found(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def ours(rows: torch.Tensor, decoding: Decoding) -> torch.Tensor:
        return by_warpers(rows, decoding) | (rows > rows.mean(1, keepdim=True))

    monkeypatch.setattr(agreement, "ours", ours)
    assert not any(agreement.cuts(place).conditions.values())
