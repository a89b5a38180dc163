"""Text drawn from a model without touching the run that trains it.

`generate` draws from the global random state, so that looking at a model's text changes the
training that goes on afterwards. The loop here has its own randomness, one stream per sequence.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from collapse_guard.arguments import MOST, checked, many, optional, whole
from collapse_guard.errors import bad_argument
from collapse_guard.model.decoding import A_DECODING, PLAIN, Decoding
from collapse_guard.model.forward import (
    accepts,
    device_of,
    is_encoder_decoder,
    logits_of,
    without_data_parallel,
)
from collapse_guard.model.inputs import A_MODEL, IDS
from collapse_guard.model.next_token import candidates, draw, uniforms
from collapse_guard.model.undisturbed import undisturbed


@checked(
    model=A_MODEL,
    num_sequences=whole(least=1, most=MOST, hint="ask for some"),
    length=whole(least=1, most=MOST, hint="ask for some"),
    seed=whole(least=0, hint="0 is fine"),
    prompt_ids=optional(IDS),
    decoding=A_DECODING,
    batch_size=whole(least=1, hint="ask for some"),
    first_sequence=whole(least=0, hint="0 is fine"),
    numbers=optional(
        many(
            whole(least=0, hint="number them from 0"),
            expected="a number for each sequence",
            hint="leave it out for sequences that follow each other",
        )
    ),
    stop_ids=many(
        whole(least=0, hint="give token ids"),
        expected="token ids",
        hint="give [tokenizer.eos_token_id], or leave it out",
    ),
)
def sample(
    model: nn.Module,
    *,
    num_sequences: int,
    length: int,
    seed: int,
    prompt_ids: torch.Tensor | None = None,
    decoding: Decoding = PLAIN,
    batch_size: int = 64,
    first_sequence: int = 0,
    numbers: Sequence[int] | None = None,
    stop_ids: Sequence[int] = (),
) -> torch.Tensor:
    """Draw sequences of tokens from a causal language model.

    Sequence `i` draws from a stream of its own that only `seed` and `i` decide. So its text does
    not depend on the batch size, on how many sequences are drawn, or on which process draws it
    (up to the rounding of the model's own arithmetic, which batch shapes and devices may change).
    The model is in eval mode while it is sampled and every module's mode is put back; the random
    states of Python, numpy and torch are neither read nor written. Probabilities are float32.

    Args:
        model: A causal language model: `model(input_ids=...)` gives logits. A key-value cache is
            used where the model returns one.
        num_sequences: How many sequences to draw, at least 1.
        length: New tokens per sequence, at least 1.
        seed: At least 0. The same seed gives the same sequences.
        prompt_ids: int64 of shape (P,), one prompt for all, or (num_sequences, P), one for each,
            P at least 1. None runs free, from the model's beginning-of-sequence token (the
            end-of-sequence token where it has no such).
        decoding: How tokens are drawn, `Decoding(temperature=0.8, top_p=0.95)` for example; from
            the model as it is where left out.
        batch_size: Sequences per forward pass.
        first_sequence: Number of the first sequence. `sample(num_sequences=8, ...)[5:]` and
            `sample(num_sequences=3, first_sequence=5, ...)` draw the same text.
        numbers: The number of each sequence, at least 0, where they do not follow each other; in
            place of `first_sequence`.
        stop_ids: Tokens that end a sequence: what follows the first of them is that token again. A
            batch of which every sequence has ended costs no further passes.

    Returns:
        int64 of shape (num_sequences, length) on the CPU: the new tokens, without their prompts.

    Raises:
        ArgumentError: An encoder-decoder model, an argument out of range, no prompt and no token
            to start from, or more tokens than the model has positions.
        ScoringError: The model's logits are not a number or all minus infinity.

    Example:
        >>> from transformers import GPT2Config, GPT2LMHeadModel
        >>> config = GPT2Config(vocab_size=50, n_positions=32, n_embd=16, n_layer=1, n_head=2)
        >>> model = GPT2LMHeadModel(config)
        >>> ids = sample(model, num_sequences=3, length=8, prompt_ids=torch.tensor([1, 2]), seed=0)
        >>> ids.shape
        torch.Size([3, 8])
    """
    if is_encoder_decoder(model):
        raise bad_argument(
            "model",
            expected="a causal language model",
            given=type(model).__name__,
            hint="an encoder-decoder writes an answer to a text; use its own generate()",
        )
    if numbers is None:
        numbers = range(first_sequence, first_sequence + num_sequences)
    _check(num_sequences, length, seed, batch_size, numbers)
    model = without_data_parallel(model)
    prompts = _prompts(model, prompt_ids, num_sequences)
    _check_positions(model, prompts.shape[1] + length - 1, length)
    device = device_of(model)
    batches = []
    with undisturbed(model, call="sample"), _uncompiled(model):
        for start in range(0, num_sequences, batch_size):
            prompt = prompts[start : start + batch_size].to(device)
            randoms = uniforms(seed, numbers[start : start + batch_size], length)
            batches.append(_continue(model, prompt, randoms, decoding, stop_ids).cpu())
    return torch.cat(batches)


@contextmanager
def _uncompiled(model: nn.Module) -> Iterator[None]:
    """Let a compiled model run as it was written.

    A text that grows by a token a pass has it compiled again and again, for minutes, until the
    compiler gives up on it, in the training passes too.
    """
    if not any(
        hasattr(module, "_orig_mod") or getattr(module, "_compiled_call_impl", None) is not None
        for module in model.modules()
    ):
        # Naming the compiler imports all of it.
        yield
        return
    with torch.compiler.set_stance("force_eager"):
        yield


def _continue(
    model: nn.Module,
    prompt: torch.Tensor,
    randoms: torch.Tensor,
    decoding: Decoding,
    stop_ids: Sequence[int],
) -> torch.Tensor:
    stops = torch.tensor(stop_ids, dtype=torch.int64, device=prompt.device)
    ended = torch.zeros_like(prompt[:, :1], dtype=torch.bool)
    wishes: dict[str, Any] = {"use_cache": True, "logits_to_keep": 1}
    keywords = {name: value for name, value in wishes.items() if accepts(model, name)}
    text, unread, cache = prompt, prompt, None
    takes_cache = accepts(model, "past_key_values")
    for random in randoms.unbind(1):
        past: dict[str, Any] = {} if cache is None else {"past_key_values": cache}
        output = model(unread, **past, **keywords)
        # float32 before the softmax: bfloat16 has 8 bits, too few for the tail to add up.
        logits = logits_of(output)[:, -1].float()
        probabilities, ids = candidates(logits, decoding)
        token = ids.gather(1, draw(probabilities, random).to(ids.device))
        if stop_ids:
            token = torch.where(ended, text[:, -1:], token)
            ended |= torch.isin(token, stops)
        text = torch.cat([text, token], dim=1)
        if stop_ids and bool(ended.all()):
            break
        cache = getattr(output, "past_key_values", None) if takes_cache else None
        unread = text if cache is None else token
    new = text[:, prompt.shape[1] :]
    missing = randoms.shape[1] - new.shape[1]
    return torch.cat([new, new[:, -1:].expand(-1, missing)], dim=1)


def _prompts(model: nn.Module, prompt_ids: torch.Tensor | None, num_sequences: int) -> torch.Tensor:
    if prompt_ids is None:
        prompt_ids = torch.tensor([start_id(model)])
    prompts = prompt_ids.expand(num_sequences, -1) if prompt_ids.dim() == 1 else prompt_ids
    if prompts.dim() != 2 or len(prompts) != num_sequences or prompts.shape[1] == 0:
        raise bad_argument(
            "prompt_ids",
            expected=f"token ids of shape (P,) or ({num_sequences}, P), P at least 1",
            given=tuple(prompt_ids.shape),
            hint="give one prompt for all sequences or one for each, all of one length",
        )
    if prompts.is_floating_point():
        raise bad_argument(
            "prompt_ids",
            expected="integer token ids",
            given=prompts.dtype,
            hint="tokenize the prompt first",
        )
    return prompts


def start_id(model: nn.Module, argument: str = "prompt_ids") -> int:
    """The token that a model's free-running text starts from.

    Args:
        model: The model, not wrapped for data parallel training.
        argument: What the caller calls the prompts that were left out.

    Raises:
        ArgumentError: No config in the model names one.
    """
    # The outermost first; one inside of a module of the user's own may be the only one to say it.
    for module in model.modules():
        for config in (getattr(module, "config", None), getattr(module, "generation_config", None)):
            for name in ("bos_token_id", "eos_token_id"):
                start = getattr(config, name, None)
                if start is not None:
                    return int(start[0] if isinstance(start, list) else start)
    raise bad_argument(
        argument,
        expected="a prompt, since the model's config names no token to start from",
        given=None,
        hint="give the ids of a prompt, or set model.config.bos_token_id",
    )


def _check_positions(model: nn.Module, needed: int, length: int) -> None:
    positions = getattr(getattr(model, "config", None), "max_position_embeddings", None)
    if positions is not None and needed > positions:
        raise bad_argument(
            "length",
            expected=f"prompt and new tokens to fit the model's {positions} positions",
            given=length,
            hint=f"draw at most {length - (needed - positions)} tokens, or shorten the prompt",
        )


def _check(
    num_sequences: int,
    length: int,
    seed: int,
    batch_size: int,
    numbers: Sequence[int],
) -> None:
    counts = {"num_sequences": num_sequences, "length": length, "batch_size": batch_size}
    for name, count in counts.items():
        if count < 1:
            raise bad_argument(name, expected="at least 1", given=count, hint="ask for some")
    if len(numbers) != num_sequences:
        raise bad_argument(
            "numbers",
            expected=f"{num_sequences}, one for each sequence",
            given=len(numbers),
            hint="leave it out for sequences that follow each other",
        )
    first = "first_sequence" if isinstance(numbers, range) else "numbers"
    for name, number in {"seed": seed, first: min(numbers)}.items():
        if number < 0:
            raise bad_argument(name, expected="at least 0", given=number, hint="0 is fine")
