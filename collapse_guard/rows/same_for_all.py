"""Refuses sources that give each process, or each pass, rows or an order of its own."""

from typing import Any

from torch.utils.data import (
    DataLoader,
    DistributedSampler,
    RandomSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)

from collapse_guard.errors import bad_argument
from collapse_guard.rows.stream_steps import steps_of

_SHUFFLING = (DistributedSampler, RandomSampler, SubsetRandomSampler, WeightedRandomSampler)

_DRAWN_BITS = 64
"""A seed of more bits was drawn by numpy: it has 128 where none is given."""


def check_same_for_all(name: str, rows: Any) -> None:
    """Refuse rows that are known to be others in each process, before any is read.

    Every reader of a mix must see the same rows in the same order: it deals them out itself.

    Args:
        name: Of the source, for errors.
        rows: As given by the user.

    Raises:
        ArgumentError: What shuffles without a seed, a loader or sampler that shuffles, or a stream
            that was split among processes.
    """
    sampler = _sampler(rows)
    if isinstance(sampler, _SHUFFLING):
        raise bad_argument(
            name,
            expected="rows in an order that is the same in each process and pass",
            given=sampler,
            hint="give the data set inside of it: the mix shuffles by itself",
        )
    split = getattr(rows, "_distributed", None)
    if split is not None and getattr(split, "world_size", 1) > 1:
        raise bad_argument(
            name,
            expected="all rows, in each process",
            given=f"the part of process {split.rank} of {split.world_size}",
            hint="leave out split_dataset_by_node: the mix deals its rows out to processes and "
            "workers itself, and what was dealt out twice would be shown by nobody",
        )
    parts = (rows, *steps_of(rows))
    shuffled_by = (getattr(part, "_shuffling", None) for part in parts)
    if any(map(_is_without_seed, (*parts, *shuffled_by))):
        raise bad_argument(
            name,
            expected="rows in an order that is the same in each process, and after a resume",
            given="a stream that is shuffled without a seed",
            hint="write .shuffle(seed=0, ...), or leave it out: the mix shuffles by itself",
        )


def _sampler(rows: Any) -> Any:
    """What says in which order a loader reads, or a sampler itself."""
    sampler = rows
    if isinstance(rows, DataLoader):
        sampler = rows.sampler if rows.batch_sampler is None else rows.batch_sampler
    inner = getattr(sampler, "sampler", None)
    return sampler if inner is None else inner


def _is_without_seed(part: Any) -> bool:
    bits = getattr(getattr(part, "generator", None), "bit_generator", None)
    entropy = getattr(getattr(bits, "seed_seq", None), "entropy", None)
    return isinstance(entropy, int) and entropy.bit_length() > _DRAWN_BITS
