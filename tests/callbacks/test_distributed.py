"""Two processes train together: one decision, one set of alerts, the same readings."""

import json
import os
import socket
from pathlib import Path

import pytest
import torch
import torch.multiprocessing as mp

from collapse_guard import CollapseMonitor, Threshold
from collapse_guard.callbacks import CollapseGuardCallback
from tests.callbacks.test_huggingface import make_trainer
from tests.tiny import tiny_panel

WORLD = 2


class BrokenOnOneProcess(CollapseMonitor):
    """Sees an alert on the second process only, as a difference in rounding might."""

    def observe(self, model, step):
        reading = super().observe(model, step)
        if os.environ["RANK"] == "1" and step >= 3:
            self.alerts.append(
                Threshold("perplexity", above=0.0).alert(reading, self.baseline.readings)
            )
        return reading


def train(rank: int, port: int, folder: str) -> None:
    os.environ.update(
        RANK=str(rank),
        LOCAL_RANK=str(rank),
        WORLD_SIZE=str(WORLD),
        MASTER_ADDR="127.0.0.1",
        MASTER_PORT=str(port),
        ACCELERATE_USE_CPU="1",
    )
    told = []
    trainer = make_trainer(Path(folder), ddp_backend="gloo")
    monitor = BrokenOnOneProcess(tiny_panel(), rules=[])
    CollapseGuardCallback(
        monitor, every_n_steps=1, on_alert="stop", sink=told.append, on_error="raise"
    ).attach(trainer)
    trainer.train()
    result = {
        "step": trainer.state.global_step,
        "told": len(told),
        "readings": [dict(reading) for reading in monitor.history],
        "training": trainer.model.training,
    }
    Path(folder, f"{rank}.json").write_text(json.dumps(result))
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_one_alert_stops_all_processes_at_one_step(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    mp.spawn(train, args=(port, str(tmp_path)), nprocs=WORLD)
    first, second = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(WORLD))
    assert first["step"] == second["step"] == 3
    # Alerts go out from the main process only, and the main process saw none.
    assert (first["told"], second["told"]) == (0, 0)
    assert first["readings"] == second["readings"]
    assert first["readings"][-1]["tail_retention"] != 1.0
