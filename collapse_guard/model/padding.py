"""Padding moved to where no causal model can see it."""

import torch


def left_aligned(
    input_ids: torch.Tensor, positions: torch.Tensor, attention_mask: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Each row's tokens moved to its left end, and all-padding columns cut off.

    A causal model does not look to the right, so padding there changes nothing, whatever the model
    is: no mask has to reach it, and no position has to be numbered by hand. Padding on the left
    depends on both, and not every model heeds them (RWKV takes a mask and ignores it).

    Args:
        input_ids: int64 of shape (rows, tokens).
        positions: bool of shape (rows, tokens), False on padding.
        attention_mask: bool or integer of shape (rows, tokens), 0 on padding, wherever it stands.

    Returns:
        `input_ids`, with 0 for padding, and `positions`, both of shape (rows, tokens of the longest
        row). The order of tokens is kept, so that of `positions` in row-major order is too.

    Example:
        >>> ids = torch.tensor([[9, 9, 4, 5], [6, 7, 8, 9]])
        >>> mask = torch.tensor([[0, 0, 1, 1], [1, 1, 1, 0]])
        >>> left_aligned(ids, mask == 2, mask)[0].tolist()
        [[4, 5, 0], [6, 7, 8]]
    """
    tokens = attention_mask.bool()
    width = max(int(tokens.sum(1).max()), 1)
    order = tokens.logical_not().to(torch.uint8).argsort(dim=1, stable=True)[:, :width]
    # Any id that exists will do; what stands there may not (-100 is common).
    ids = input_ids.gather(1, order).masked_fill(~tokens.gather(1, order), 0)
    return ids, positions.gather(1, order)
