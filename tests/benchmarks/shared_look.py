"""A look that processes share: `python -m tests.benchmarks.shared_look RANK WORLD PORT`."""

import json
import sys
import time

import torch
import torch.distributed as dist
from transformers import GPT2Config, GPT2LMHeadModel

from collapse_guard import CollapseMonitor, EveryNSteps
from tests.tiny import VOCAB, tiny_panel

LOOKS = 5
DOCUMENTS = 240


def main(rank: int, world: int, port: int) -> None:
    """Look at the whole panel, and tell what of it was this process's."""
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=world
    )
    torch.manual_seed(0)
    model = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=VOCAB,
            n_positions=64,
            n_embd=256,
            n_layer=4,
            n_head=4,
            bos_token_id=0,
            eos_token_id=0,
        )
    )
    monitor = CollapseMonitor(
        tiny_panel(documents=DOCUMENTS), rules=[], pace=EveryNSteps(1), sampling=None
    )
    monitor.start(model)
    passes: list[int] = []
    model.register_forward_pre_hook(lambda _, given: passes.append(1))
    dist.barrier()
    used, begin = time.process_time(), time.perf_counter()
    for step in range(1, LOOKS + 1):
        assert monitor.look(model, step)
    print(
        json.dumps(
            {
                "used": (time.process_time() - used) / LOOKS,
                "taken": (time.perf_counter() - begin) / LOOKS,
                "passes": len(passes) / LOOKS,
            }
        )
    )
    dist.destroy_process_group()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
