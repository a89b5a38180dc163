"""Decisions that every process of a distributed run takes alike."""

import torch
import torch.distributed as dist


def any_process(flag: bool, device: torch.device) -> bool:
    """Whether the flag is up on any process; on one process, the flag itself.

    Every process must call it, at the same point of the run.

    Args:
        flag: This process's flag.
        device: A device that the process group can reduce on.
    """
    if not (dist.is_available() and dist.is_initialized()) or dist.get_world_size() == 1:
        return flag
    shared = torch.tensor(int(flag), device=device)
    dist.all_reduce(shared, op=dist.ReduceOp.MAX)
    return bool(shared.item())
