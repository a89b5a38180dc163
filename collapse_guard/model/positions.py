"""How many tokens a model can read at once, where a table says so."""

import logging
import re
from collections.abc import Iterator
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

import torch

from collapse_guard.errors import bad_argument
from collapse_guard.model.forward import innermost, virtual_tokens

logger = logging.getLogger("collapse_guard")

_STATED = (
    "max_position_embeddings",
    "n_positions",
    "max_sequence_length",
    "max_seq_len",
    "block_size",
    "n_ctx",
)
"""Names under which configs state how many positions there are."""

_IS_TABLE = re.compile(r"pos|wpe", re.IGNORECASE)
_IS_RELATIVE = re.compile(r"rel", re.IGNORECASE)

_OFFSETS = (0, 2)
"""Rows that a table has more than positions: OPT's and BART's have two in front."""

_KNOWN: WeakKeyDictionary[torch.nn.Module, tuple[int | None, int | None]] = WeakKeyDictionary()
_TOLD: WeakSet[torch.nn.Module] = WeakSet()


def check_fits(argument: str, model: torch.nn.Module, tokens: int) -> None:
    """Refuse rows longer than the model's table of positions; say so of other long ones, once.

    On a GPU the look-up itself would end the process.

    Args:
        argument: The argument's name.
        model: On any device, wrapped or not.
        tokens: Tokens of each row.

    Raises:
        ArgumentError: The rows, with what the model puts before them, have more tokens than the
            model has positions.
    """
    limit, stated = _known(model)
    if limit is None and stated is not None and tokens > stated and model not in _TOLD:
        _TOLD.add(model)
        logger.warning(
            "the model reads %d tokens at a time here, but its config states %d positions: it was "
            "not trained to read further, so that what it gives there is of little worth; use a "
            "shorter `window`.",
            tokens,
            stated,
        )
    before = virtual_tokens(model)
    if limit is not None and tokens + before > limit:
        raise bad_argument(
            argument,
            expected=f"at most {limit - before} tokens a row, since the model has {limit} positions"
            + (f", {before} of them for its virtual tokens" if before else ""),
            given=f"{tokens} tokens",
            hint=f"cut the text into rows of that length: `window={max(limit - before, 0)}`, less "
            f"the prefix, for a panel",
        )


def positions_of(model: torch.nn.Module) -> int | None:
    """How many tokens a model reads at once: what its tables hold, or else what its config states.

    Args:
        model: On any device, wrapped or not.

    Returns:
        None where neither says so.
    """
    limit, stated = _known(model)
    return stated if limit is None else limit


def position_limit(model: torch.nn.Module) -> int | None:
    """The number of positions that a model cannot read past; None where nothing says that it has.

    It has one where its positions are rows of a table: learned ones (GPT-2, OPT, BERT) or computed
    beforehand (GPT-J, CTRL). Rotary positions that are computed as they come, relative ones and
    recurrent models have none, whatever number their config states: that is what they were trained
    on.

    Args:
        model: On any device, wrapped or not.

    Example:
        >>> from transformers import OPTConfig, OPTForCausalLM
        >>> sizes = dict(hidden_size=8, ffn_dim=8, num_hidden_layers=1, num_attention_heads=1)
        >>> config = OPTConfig(vocab_size=9, max_position_embeddings=64, **sizes)
        >>> position_limit(OPTForCausalLM(config))
        64
    """
    limits = [limit for owner, stated in _configured(model) for limit in _limits(owner, stated)]
    if not any(hasattr(module, "config") for module in model.modules()):
        # Of the user's own making: there is no config to hold its tables against.
        limits = [table.num_embeddings for table in _position_embeddings(model)]
    return min(limits, default=None)


def _known(model: torch.nn.Module) -> tuple[int | None, int | None]:
    if model not in _KNOWN:
        _KNOWN[model] = position_limit(model), _stated(innermost(model))
    return _KNOWN[model]


def _configured(model: torch.nn.Module) -> Iterator[tuple[torch.nn.Module, int]]:
    """The model, and those inside it, whose config states how many positions they have."""
    seen: set[int] = set()
    for module in model.modules():
        config = getattr(module, "config", None)
        # Each layer of a model has its config; what is inside it is inside the model too.
        if config is None or id(config) in seen:
            continue
        seen.add(id(config))
        stated = _stated(module)
        if stated is not None:
            yield module, stated


def _stated(model: torch.nn.Module) -> int | None:
    config: Any = getattr(model, "config", None)
    if callable(text_config := getattr(config, "get_text_config", None)):
        config = text_config()
    values = (getattr(config, name, None) for name in _STATED)
    return next((value for value in values if isinstance(value, int) and value > 0), None)


def _limits(owner: torch.nn.Module, stated: int) -> Iterator[int]:
    for table in _position_embeddings(owner):
        rows = table.num_embeddings
        if rows - stated in _OFFSETS:
            # RoBERTa numbers its positions from the one after that of padding.
            first = 0 if table.padding_idx is None else table.padding_idx + 1
            yield stated - first if rows == stated else stated
    yield from (stated for table in _computed_tables(owner) if stated in table.shape[:-1])
    attention: Any = getattr(getattr(owner, "config", None), "attn_config", None)
    if getattr(attention, "alibi", False):
        # MPT computes the biases of as many positions as its config states, and no more.
        yield stated


def _position_embeddings(model: torch.nn.Module) -> Iterator[torch.nn.Embedding]:
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Embedding) and _names_positions(name):
            yield module


def _computed_tables(model: torch.nn.Module) -> Iterator[torch.Tensor]:
    for path, module in model.named_modules():
        if isinstance(module, torch.nn.Embedding) or hasattr(module, "make_weights"):
            # The second kind (XGLM) makes a longer table where one is needed.
            continue
        own = {**vars(module), **module._buffers, **module._parameters}
        for name, value in own.items():
            is_numbers = isinstance(value, torch.Tensor) and value.is_floating_point()
            if is_numbers and _names_positions(f"{path}.{name}"):
                yield value


def _names_positions(path: str) -> bool:
    name = ".".join(path.split(".")[-2:])
    return bool(_IS_TABLE.search(name)) and not _IS_RELATIVE.search(name)
