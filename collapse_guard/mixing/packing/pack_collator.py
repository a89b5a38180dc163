"""Turns packs into tensors, for trainers that know nothing of packing."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from collapse_guard.arguments import understood
from collapse_guard.errors import bad_argument

_COLUMNS = ("input_ids", "labels", "position_ids")
_WANTED: dict[str, Any] = {
    "expected": "packs, with `input_ids`, `labels` and `position_ids` of one length",
    "hint": "give the rows of a PackedMix; a model whose forward knows no position_ids, so that "
    "the Trainer takes them away, cannot tell the segments of a pack apart",
}


class PackCollator:
    """Collates packs for `Trainer(model, args, train_dataset=packed, data_collator=...)`.

    All packs of a batch come end to end in one row, without padding. The `position_ids`, which
    begin at 0 in each segment, are what keeps segments apart: models of transformers 5 make a mask
    of them for eager and sdpa attention where there is no `attention_mask` and `use_cache` is
    False, as the Trainer sets it (in loops of your own, call `model(..., use_cache=False)`), and
    give them to flash attention otherwise. Models that read on from token to token, such as Mamba,
    do not look at them.

    Example:
        >>> packs = [
        ...     {"input_ids": [5, 6, 7], "labels": [-100, 6, -100], "position_ids": [0, 1, 0]},
        ...     {"input_ids": [8, 9], "labels": [-100, 9], "position_ids": [0, 1]},
        ... ]
        >>> PackCollator()(packs)["position_ids"].tolist()
        [[0, 1, 0, 0, 1]]
    """

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, torch.Tensor]:
        """One row of all packs.

        Args:
            rows: At least one, as `PackedMix` gives them.

        Returns:
            `input_ids`, `labels` and `position_ids`, int64 of shape (1, tokens).

        Raises:
            ArgumentError: They are no packs.
        """
        with understood("rows", rows, **_WANTED):
            values = [[np.asarray(row[name]) for name in _COLUMNS] for row in rows]
            fit = bool(values) and all(
                each.ndim == 1 and each.shape == pack[0].shape and each.dtype.kind in "iu"
                for pack in values
                for each in pack
            )
        if not fit:
            raise bad_argument("rows", given=rows, **_WANTED)
        joined = [np.concatenate(column).astype(np.int64) for column in zip(*values, strict=True)]
        return {
            name: torch.from_numpy(column)[None]
            for name, column in zip(_COLUMNS, joined, strict=True)
        }
