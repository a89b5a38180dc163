"""A loop of one's own, with a session and torchdata's loader, that goes on from its last file."""

import os
import time
from pathlib import Path

import torch
from torchdata.stateful_dataloader import StatefulDataLoader

from collapse_guard import MixCollator
from collapse_guard.alerts.sinks import tell_nobody
from collapse_guard.callbacks import WatchSession
from tests.kills.outcome import BATCH, SAVE_EVERY, STEPS, RowLog, finish, mix, monitor
from tests.tiny import tiny_gpt2


def run(folder: Path) -> None:
    """Begin, or go on where the last file was written."""
    mixed, watch, rows = mix(), monitor(), RowLog(folder)
    model = tiny_gpt2(dropout=0.1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    loader = StatefulDataLoader(mixed, batch_size=BATCH, collate_fn=MixCollator(labels=True))
    session = WatchSession(watch, sink=tell_nobody, on_error="raise")
    saved, step = folder / "run.pt", 0
    torch.manual_seed(3)
    random = torch.get_rng_state()
    if saved.exists():
        state = torch.load(saved, weights_only=False)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        loader.load_state_dict(state["loader"])
        session.load_state_dict(state["session"])
        step, random = state["step"], state["random"]
    session.start(model, step)
    batches = iter(loader)
    # Only now: loaders draw a seed as they begin, which no run draws in its middle.
    torch.set_rng_state(random)
    for batch in batches:
        rows.add(step, batch["input_ids"])
        model(**batch).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        time.sleep(0.005)
        step += 1
        session.step(model, step)
        if step % SAVE_EVERY == 0:
            torch.save(
                {
                    "model": model.state_dict(),
                    "optimizer": optimizer.state_dict(),
                    "loader": loader.state_dict(),
                    "session": session.state_dict(),
                    "random": torch.get_rng_state(),
                    "step": step,
                },
                folder / "run.tmp",
            )
            os.replace(folder / "run.tmp", saved)
    session.end(model, step)
    finish(folder, model, watch, report=str(mixed.report(STEPS * BATCH)))
