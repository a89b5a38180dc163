"""Calling causal language models of any make, whatever they are wrapped in."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Protocol, runtime_checkable

import torch

from collapse_guard.errors import ScoringError
from collapse_guard.model.undisturbed import undisturbed

_LOGITS = 1 << 26
"""Of a batch, on a CPU: 256 MiB in float32. Windows of 64 tokens stay 16 at a time up to 65,536
types, and each of 262,144 types is one of 4."""

_ON_ACCELERATORS = 1 << 30
"""There small batches leave most of the device idle: 2 GiB in bfloat16."""


@runtime_checkable
class _PeftModel(Protocol):
    def get_base_model(self) -> torch.nn.Module: ...


def innermost(model: torch.nn.Module) -> torch.nn.Module:
    """The model under its wrappers: data parallel, `torch.compile`, PEFT."""
    *_, inside = _unwrapped(model)
    return inside


def _unwrapped(model: torch.nn.Module) -> Iterator[torch.nn.Module]:
    """The model, and what is under each of its wrappers."""
    while True:
        yield model
        if isinstance(model, torch.nn.parallel.DistributedDataParallel | torch.nn.DataParallel):
            model = model.module
        elif isinstance(compiled := getattr(model, "_orig_mod", None), torch.nn.Module):
            model = compiled
        elif isinstance(model, _PeftModel) and hasattr(model, "peft_config"):
            model = model.get_base_model()
        else:
            return


def virtual_tokens(model: torch.nn.Module) -> int:
    """How many tokens of its own the model puts before its input, as PEFT's prompt tuning does."""
    for layer in _unwrapped(model):
        configs, active = (getattr(layer, name, None) for name in ("peft_config", "active_adapter"))
        if isinstance(layer, _PeftModel) and isinstance(configs, dict) and isinstance(active, str):
            return getattr(configs.get(active), "num_virtual_tokens", None) or 0
    return 0


def without_data_parallel(model: torch.nn.Module) -> torch.nn.Module:
    """The model to call for a look at it: the one that `DistributedDataParallel` wraps.

    The wrapper's own forward pass talks to the other processes where the model has buffers, and
    would wait for ever for one whose look has failed; it also keeps count of passes for training.
    """
    while isinstance(model, torch.nn.parallel.DistributedDataParallel):
        model = model.module
    return model


def accepts(model: torch.nn.Module, argument: str) -> bool:
    """Whether the model's own forward names this argument.

    A mere `**kwargs` does not count: transformers models take unknown names without a word.
    """
    # The class is asked, since training frameworks replace the instance's forward by wrappers.
    return argument in _parameters(type(innermost(model)).forward)


@lru_cache(maxsize=64)
def _parameters(forward: Callable[..., Any]) -> frozenset[str]:
    return frozenset(inspect.signature(forward).parameters)


def input_embeddings(model: torch.nn.Module) -> torch.nn.Embedding | None:
    """The table that the model looks token ids up in, where it says which that is."""
    getter = getattr(innermost(model), "get_input_embeddings", None)
    try:
        table = getter() if callable(getter) else None
    except NotImplementedError:
        # What transformers raises where a model does not say.
        return None
    return table if isinstance(table, torch.nn.Embedding) else None


def output_layer(model: torch.nn.Module) -> torch.nn.Module | None:
    """The layer that turns the last hidden state into logits, where the model says which it is."""
    getter = getattr(innermost(model), "get_output_embeddings", None)
    layer = getter() if callable(getter) else None
    return layer if isinstance(layer, torch.nn.Module) else None


def is_encoder_decoder(model: torch.nn.Module) -> bool:
    """Whether the model reads one text with an encoder and predicts another with a decoder."""
    config = getattr(innermost(model), "config", None)
    return bool(getattr(config, "is_encoder_decoder", False))


def device_of(model: torch.nn.Module) -> torch.device:
    """The device that the model takes its input on; the CPU for a model without parameters."""
    parameter = next(model.parameters(), None)
    return torch.device("cpu") if parameter is None else parameter.device


def in_batches(
    model: torch.nn.Module, rows: torch.Tensor, *, tokens: int, vocab_size: int, most: int
) -> tuple[torch.Tensor, ...]:
    """The numbers of rows, a batch at a time.

    Models that cannot be told which positions matter give logits at all of them: a batch of 16
    windows of 64 tokens would take a GiB at 262,144 types, and what is reckoned from it as much.

    Args:
        model: What is given the rows.
        rows: int64 of shape (rows,).
        tokens: Of a row.
        vocab_size: Types that the model predicts, as far as that is known.
        most: Rows of a batch, at least 1.

    Returns:
        Each int64 of shape (batch,), of one row at least; none where there are no rows.

    Example:
        >>> rows = torch.arange(6)
        >>> sizes = dict(tokens=64, vocab_size=262_144, most=16)
        >>> [batch.tolist() for batch in in_batches(torch.nn.Linear(1, 1), rows, **sizes)]
        [[0, 1, 2, 3], [4, 5]]
    """
    at_once = rows_at_once(model, tokens=tokens, vocab_size=vocab_size, most=most)
    return torch.split(rows, at_once) if len(rows) else ()


def rows_at_once(model: torch.nn.Module, *, tokens: int, vocab_size: int, most: int) -> int:
    """Rows whose logits take bounded memory, as of `in_batches`: at least 1."""
    logits = _LOGITS if device_of(model).type == "cpu" else _ON_ACCELERATORS
    return min(most, max(logits // (tokens * vocab_size), 1))


def logits_at(
    model: torch.nn.Module,
    input_ids: torch.Tensor,
    positions: torch.Tensor,
    *,
    encoder: Mapping[str, torch.Tensor] | None = None,
    evaluate: bool = True,
) -> torch.Tensor:
    """The logits that predict the token at each chosen position, from one undisturbed call.

    Only these positions go through the output layer where the model can do that.

    Args:
        model: On any device, wrapped or not.
        input_ids: int64 of shape (rows, tokens), on any device, each with an embedding.
        positions: bool of shape (rows, tokens), on any device, False in column 0.
        encoder: What an encoder-decoder's forward takes for its encoder, on the model's device.
        evaluate: As of `undisturbed`.

    Returns:
        Of shape (chosen positions, vocabulary), in row-major order, in the model's dtype and on its
        device, outside any graph.

    Raises:
        ScoringError: The model returned no logits, or logits of an unknown shape.
    """
    model = without_data_parallel(model)
    device = device_of(model)
    input_ids, positions = input_ids.to(device, torch.int64), positions.to(device)
    contexts = torch.zeros_like(positions)
    contexts[:, :-1] = positions[:, 1:]
    arguments: dict[str, Any] = {}
    read_first = input_ids
    if encoder:
        arguments = {**encoder, "decoder_input_ids": input_ids}
        read_first = arguments.pop("input_ids")
    if accepts(model, "use_cache"):
        arguments["use_cache"] = False
    virtual = virtual_tokens(model)
    # Virtual tokens shift a mask of positions, unless their adapter is off: all logits tell which.
    if accepts(model, "logits_to_keep") and not virtual:
        arguments["logits_to_keep"] = contexts
    with undisturbed(model, evaluate=evaluate):
        # A forward may switch gradients on again, or return a view of a weight.
        logits = logits_of(model(read_first, **arguments)).detach()
    if virtual and logits.shape[1:-1] == (virtual + positions.shape[1],):
        logits = logits[:, virtual:]
    # The shape decides, not the signature: a model may take the name and still return everything.
    if logits.shape[:-1] == positions.shape:
        return logits[contexts]
    chosen = int(positions.sum())
    if logits.shape[:-1] != (chosen,):
        raise ScoringError(
            f"the model returned logits of shape {tuple(logits.shape)} for input of shape "
            f"{tuple(input_ids.shape)} and {chosen} positions: expected one row of logits "
            f"per token or per position asked for."
        )
    return logits


def logits_of(output: Any) -> torch.Tensor:
    """The logits in what a model returned: a tensor, a tuple that starts with one, or `.logits`.

    Raises:
        ScoringError: There are none.
    """
    logits = getattr(output, "logits", output)
    if isinstance(logits, tuple):
        logits = logits[0]
    if not isinstance(logits, torch.Tensor) or not logits.is_floating_point():
        raise ScoringError(
            f"the model returned {type(output).__name__} without next-token logits: give a causal "
            f"language model, whose output is a tensor of logits or has a `.logits`."
        )
    return logits
