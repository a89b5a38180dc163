"""Lightning with parameters that are sharded by FSDP2: read on two processes, and left alone."""

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.strategies import ModelParallelStrategy
from torch.distributed.fsdp import fully_shard

from tests.callbacks.lightning.runs import LanguageModule, every, fit, guarded, make_trainer
from tests.forking import WORLD
from tests.processes import on_launched_processes
from tests.tiny import BRIEF, tiny_gpt2


class ShardedModule(LanguageModule):
    def configure_model(self) -> None:
        mesh = self.device_mesh["data_parallel"]
        for block in self.net.transformer.h:
            fully_shard(block, mesh=mesh)
        fully_shard(self.net, mesh=mesh)


def train(*callbacks: pl.Callback, folder: Path) -> dict[str, Any]:
    module = ShardedModule(tiny_gpt2(dropout=0.1))
    strategy = ModelParallelStrategy(data_parallel_size=WORLD, tensor_parallel_size=1)
    fit(make_trainer(folder, *callbacks, devices=WORLD, strategy=strategy), module)
    weights = {name: each.full_tensor().tolist() for name, each in module.named_parameters()}
    return {"losses": module.losses, "weights": weights}


def work(folder: Path) -> dict[str, Any]:
    guard = guarded(every(2, sampling=BRIEF))
    guarded_run = train(guard, folder=folder)
    looks = [[reading.step, dict(reading)] for reading in guard.monitor.history]
    return {"looks": looks, "guarded": guarded_run, "plain": train(folder=folder)}


@pytest.mark.slow
def test_the_root_is_read_on_all_processes_and_left_alone(tmp_path: Path) -> None:
    first, second = on_launched_processes(work, tmp_path, tmp_path)
    assert first["looks"] == second["looks"]
    assert [step for step, _ in first["looks"]] == [0, 2, 4, 6, 8]
    assert first["looks"][0][1] == pytest.approx(
        dict(every(1, sampling=BRIEF).start(tiny_gpt2())), rel=1e-6
    )
    trained = tiny_gpt2()
    trained.load_state_dict(
        {
            name.removeprefix("net."): torch.tensor(values)
            for name, values in first["guarded"]["weights"].items()
        },
        # The output layer's weights are those of the embeddings.
        strict=False,
    )
    alone = every(1, sampling=BRIEF)
    alone.start(tiny_gpt2())
    assert first["looks"][-1][1] == pytest.approx(dict(alone.look(trained, 8)), rel=1e-5)
    for run in (first, second):
        assert run["guarded"] == run["plain"]
