"""Settings that have to be the same on all processes."""

from pathlib import Path
from typing import Any

import pytest
import torch.distributed as dist

from collapse_guard import ArgumentError, CollapseMonitor
from collapse_guard.callbacks.settings import check_same, settings_of
from tests.callbacks.loops import ALWAYS_BROKEN
from tests.processes import on_processes
from tests.tiny import tiny_gpt2, tiny_panel


def test_what_looks_go_by_is_in_them() -> None:
    plain = CollapseMonitor(tiny_panel(), rules=[])
    plain.start(tiny_gpt2())
    base = settings_of(plain, None, 0)
    for name, other in {
        "panel": settings_of(CollapseMonitor(tiny_panel(documents=3), rules=[]), None, 0),
        "readings": settings_of(CollapseMonitor(tiny_panel(), rules=[], sampling=None), None, 0),
        "rules": settings_of(CollapseMonitor(tiny_panel(), rules=[ALWAYS_BROKEN]), None, 0),
        "baseline": settings_of(plain, plain.baseline, 0),
        "step": settings_of(plain, None, 1),
    }.items():
        assert [each for each in base if base[each] != other[each]] == [name]


def compared() -> list[Any]:
    rank = dist.get_rank()
    told: list[Any] = []
    for settings in ({"a": "x"}, {"a": "x", "b": f"of {rank}", "c": str(rank)}):
        try:
            check_same(settings)
            told.append("same")
        except ArgumentError as error:
            told.append(str(error))
    return told


def test_one_process_is_like_itself() -> None:
    check_same({"a": "x"})


@pytest.mark.slow
def test_what_differs_is_refused_on_both_by_name(tmp_path: Path) -> None:
    for rank, (same, other) in enumerate(on_processes(compared, tmp_path)):
        assert same == "same"
        assert "argument `b` expected the same on every process" in other
        assert f"here of {rank}" in other
