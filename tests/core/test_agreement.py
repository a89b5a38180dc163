from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from collapse_guard.agreement import any_process

CPU = torch.device("cpu")


def decide(rank: int, folder: str) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    answers = [any_process(flag, CPU) for flag in (False, rank == 1, True)]
    Path(folder, str(rank)).write_text(repr(answers))
    dist.destroy_process_group()


def test_one_process_decides_for_itself() -> None:
    assert any_process(True, CPU)
    assert not any_process(False, CPU)


@pytest.mark.slow
def test_one_flag_decides_for_all(tmp_path: Path) -> None:
    mp.spawn(decide, args=(str(tmp_path),), nprocs=2)
    assert (tmp_path / "0").read_text() == (tmp_path / "1").read_text() == "[False, True, True]"
