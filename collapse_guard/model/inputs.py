"""What a model is called with, checked before it is called."""

from typing import Any

import torch

from collapse_guard.arguments import module, tensor
from collapse_guard.errors import TokenizerMismatchError, bad_argument
from collapse_guard.model.forward import device_of, input_embeddings, is_encoder_decoder

A_MODEL = module(hint="give the language model itself, a torch.nn.Module")
"""Checks an argument that is to be a model."""

IDS = tensor(
    of="whole numbers",
    expected="integer token ids, or as many truth values, in a tensor",
    hint="give what the tokenizer returned, with return_tensors='pt'",
)
"""Checks an argument that is to hold a number for each token."""

MASK = tensor(
    of="numbers",
    expected="a mask of the tokens' shape, in a tensor",
    hint="give what the tokenizer returned beside the ids",
)
"""Checks an argument that is to say where there is no padding."""

IGNORED_LABEL = -100
"""The label that torch's and transformers' losses skip."""


def check_positions(
    input_ids: torch.Tensor, positions: torch.Tensor, attention_mask: torch.Tensor | None
) -> None:
    """Refuse positions that cannot be scored, and shapes that do not fit together.

    Args:
        input_ids: Token ids of shape (rows, tokens).
        positions: bool of shape (rows, tokens), the positions whose token is to be scored.
        attention_mask: bool or integer of shape (rows, tokens), 0 on padding, or None.

    Raises:
        ArgumentError: Other shapes or dtypes, or a position without a token or a context.
    """
    if input_ids.ndim != 2 or input_ids.shape[0] < 1 or input_ids.shape[1] < 2:
        raise bad_argument(
            "input_ids",
            expected="token ids of shape (rows, at least 2 tokens)",
            given=tuple(input_ids.shape),
            hint="add a row dimension with input_ids[None], or give longer text",
        )
    if input_ids.is_floating_point() or input_ids.dtype == torch.bool:
        raise bad_argument(
            "input_ids",
            expected="integer token ids",
            given=input_ids.dtype,
            hint="tokenize the text first",
        )
    if positions.shape != input_ids.shape or positions.dtype != torch.bool:
        raise bad_argument(
            "positions",
            expected=f"bool of shape {tuple(input_ids.shape)}, that of `input_ids`",
            given=f"{positions.dtype} of shape {tuple(positions.shape)}",
            hint="mark each token to be scored with True",
        )
    if positions[:, 0].any():
        raise bad_argument(
            "positions",
            expected="False in column 0",
            given=True,
            hint="the first token has no context to be predicted from",
        )
    if attention_mask is None:
        return
    if attention_mask.shape != input_ids.shape:
        raise bad_argument(
            "attention_mask",
            expected=f"shape {tuple(input_ids.shape)}, that of `input_ids`",
            given=tuple(attention_mask.shape),
            hint="give what the tokenizer returned beside the ids",
        )
    tokens = attention_mask.bool().to(positions.device)
    if (positions & ~tokens).any() or (positions[:, 1:] & ~tokens[:, :-1]).any():
        raise bad_argument(
            "positions",
            expected="True only on tokens whose predecessor is a token too",
            given="a position on padding, or just after it",
            hint="leave out padding and the first token of each row",
        )


def check_ids(argument: str, model: torch.nn.Module, ids: torch.Tensor) -> None:
    """Refuse token ids that the model has no embedding of, where it says which it has.

    On a GPU the look-up itself would end the process.

    Args:
        argument: The argument's name.
        model: The model.
        ids: Token ids of any shape.

    Raises:
        TokenizerMismatchError: An id is negative or past the last embedding.
    """
    embeddings = input_embeddings(model)
    if embeddings is not None:
        # Not `weight.shape`, which is that of a shard where parameters are sharded.
        check_range(argument, ids, embeddings.num_embeddings)


def check_range(argument: str, ids: torch.Tensor, vocab_size: int) -> None:
    """Refuse token ids that a vocabulary does not have.

    Args:
        argument: The argument's name.
        ids: Token ids of any shape.
        vocab_size: Number of the model's types.

    Raises:
        TokenizerMismatchError: An id is negative or not below `vocab_size`.
    """
    wrong = (ids < 0) | (ids >= vocab_size)
    if wrong.any():
        raise TokenizerMismatchError(
            f"token id {int(ids[wrong][0])} in `{argument}` is not in the model's vocabulary of "
            f"{vocab_size} types (ids 0 to {vocab_size - 1}): use the model's own tokenizer, or "
            f"resize the model's embeddings to the tokenizer."
        )


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
    # Any id that exists will do; what stands there may not (`IGNORED_LABEL` is common).
    ids = input_ids.gather(1, order).masked_fill(~tokens.gather(1, order), 0)
    return ids, positions.gather(1, order)


def encoder_arguments(
    model: torch.nn.Module,
    encoder_input_ids: torch.Tensor | None,
    encoder_attention_mask: torch.Tensor | None,
    *,
    rows: int,
) -> dict[str, Any]:
    """What an encoder-decoder's forward takes for its encoder; nothing for another model.

    Args:
        model: The model.
        encoder_input_ids: Token ids of shape (rows, encoder tokens), or None.
        encoder_attention_mask: bool or integer of the same shape, 0 on padding; None for none.
        rows: How many rows the decoder reads.

    Raises:
        ArgumentError: The encoder's text is missing, superfluous or of another shape.
        TokenizerMismatchError: It holds ids that the model has no embedding of.
    """
    if encoder_input_ids is None:
        if is_encoder_decoder(model):
            # Called without, BART lets its encoder read the very text that is to be predicted.
            raise bad_argument(
                "encoder_input_ids",
                expected="the text that the encoder reads, since the model is an encoder-decoder",
                given=None,
                hint="give it to token_logprobs; for a panel, wrap the model in a module that "
                "passes it on, and let the panel's `prefix` be the decoder start token",
            )
        return {}
    if not is_encoder_decoder(model):
        raise bad_argument(
            "encoder_input_ids",
            expected="None, since the model has no encoder",
            given=f"token ids of shape {tuple(encoder_input_ids.shape)}",
            hint="put a prompt at the beginning of `input_ids`, and score the positions after it",
        )
    if encoder_input_ids.ndim != 2 or len(encoder_input_ids) != rows:
        raise bad_argument(
            "encoder_input_ids",
            expected=f"token ids of shape ({rows}, encoder tokens)",
            given=tuple(encoder_input_ids.shape),
            hint="give the encoder one text for each row of `input_ids`",
        )
    mask = encoder_attention_mask
    if mask is None:
        mask = torch.ones_like(encoder_input_ids)
    if mask.shape != encoder_input_ids.shape:
        raise bad_argument(
            "encoder_attention_mask",
            expected=f"shape {tuple(encoder_input_ids.shape)}, that of `encoder_input_ids`",
            given=tuple(mask.shape),
            hint="give what the tokenizer returned beside the ids",
        )
    check_ids("encoder_input_ids", model, encoder_input_ids)
    device = device_of(model)
    return {
        "input_ids": encoder_input_ids.to(device),
        "attention_mask": mask.to(device=device, dtype=torch.int64),
    }
