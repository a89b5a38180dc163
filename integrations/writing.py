"""A model writes rows that remember how they were drawn."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from collapse_guard.arguments import flag, listed, whole_number
from collapse_guard.errors import bad_argument
from collapse_guard.extras import require
from collapse_guard.integrations.prompts import Ids, Prompts, as_prompts
from collapse_guard.integrations.text_inputs import as_tokenizer
from collapse_guard.model.decoding import Decoding, check_matchable
from collapse_guard.model.decoding_columns import DRAWN_MASK_COLUMN, ORDER_COLUMN, to_columns
from collapse_guard.model.forward import innermost
from collapse_guard.model.inputs import A_MODEL, check_ids
from collapse_guard.model.sample import sample, start_id

require("datasets", "huggingface")

import datasets  # noqa: E402
from tqdm.auto import tqdm  # noqa: E402

_FEATURES = {
    # As transformers' tokenizers leave them in a data set, with which these rows are to be mixed.
    "input_ids": datasets.Sequence(datasets.Value("int32")),
    DRAWN_MASK_COLUMN: datasets.Sequence(datasets.Value("int8")),
    "temperature": datasets.Value("float64"),
    "top_k": datasets.Value("int64"),
    "top_p": datasets.Value("float64"),
    "min_p": datasets.Value("float64"),
    ORDER_COLUMN: datasets.Value("string"),
}
"""Named one by one, so that a column of None alone has the type of the others too."""


def write(
    model: nn.Module,
    prompts: int | Prompts,
    decoding: Decoding,
    *,
    length: int,
    seed: int,
    tokenizer: Any = None,
    stop_ids: int | Sequence[int] | None = None,
    batch_size: int = 64,
    first_row: int = 0,
    progress: bool = True,
) -> datasets.Dataset:
    """Let a model write rows, and note down beside each token whether, and how, it was drawn.

    A later training can then score each token under the law that it was drawn from, whoever wrote
    it and however many data sets were merged on the way. A row's text is decided by the seed, its
    number and its prompt: neither batch size nor the other rows change it, up to the rounding of
    the model's own arithmetic. The model is left exactly as it was, and no global random state is
    read or written (see `collapse_guard.model.sample.sample`).

    Args:
        model: A causal language model on any device, wrapped or not.
        prompts: What rows begin with: token ids of several lengths, or a matrix of them of shape
            (rows, P) without padding; or texts, or chats (lists of messages), with a `tokenizer`.
            A number is that many rows without a prompt, which begin with the model's
            beginning-of-sequence token (its end-of-sequence token where it has no such).
        decoding: How tokens are drawn.
        length: New tokens a row, at most.
        seed: At least 0. The same seed gives the same rows.
        tokenizer: The model's own, or its name or path, for texts and chats. It adds the special
            tokens to a text that it adds by default; a chat goes through its chat template, up to
            where the answer begins.
        stop_ids: Tokens that end a row. The first of them is the row's last token, and was drawn.
            None takes the model's end-of-sequence tokens; `()` lets each row have `length` tokens.
        batch_size: Rows of a forward pass, at most. Only rows whose prompts are of one length share
            one.
        first_row: Number of the first row, at least 0. With it processes share work: rows 40 to 60
            are `write(model, prompts[40:60], ..., first_row=40)`.
        progress: Show a bar, on a terminal.

    Returns:
        A data set of one row for each prompt, in their order, with the columns

        - `input_ids`: the prompt and what was written, int32;
        - `drawn_mask`: of the same length, 0 for the prompt and 1 for each token that was drawn;
        - `temperature`, `top_k`, `top_p`, `min_p`, `cut_order`: the decoding, None where there is
          no such cut. `collapse_guard.model.decoding_columns` reads them back.

        `save_to_disk`, `to_parquet` and `to_json` keep all of it.

    Raises:
        ArgumentError: A greedy decoding, or nearly so, which no likelihood can take back; prompts
            that are none, or that leave no room for `length` tokens in the model's positions; a
            model that is no causal one.
        TokenizerMismatchError: A prompt holds ids that the model has no embedding of.
        ScoringError: The model's logits are not a number or all minus infinity.

    Example:
        >>> from transformers import GPT2Config, GPT2LMHeadModel
        >>> config = GPT2Config(vocab_size=50, n_positions=32, n_embd=16, n_layer=1, n_head=2,
        ...     bos_token_id=0, eos_token_id=0)
        >>> model = GPT2LMHeadModel(config)
        >>> rows = write(
        ...     model, [[7, 8, 9], [5]], Decoding(temperature=0.8), length=4, seed=0, stop_ids=()
        ... )
        >>> rows[0]["drawn_mask"], rows[1]["drawn_mask"]
        ([0, 0, 0, 1, 1, 1, 1], [0, 1, 1, 1, 1])
        >>> rows[0]["input_ids"][:3], rows[0]["temperature"], rows[0]["cut_order"]
        ([7, 8, 9], 0.8, 'top_k,top_p,min_p')
    """
    A_MODEL("model", model)
    check_matchable(decoding)
    batch_size = whole_number("batch_size", batch_size, least=1, hint="64 is usual")
    first_row = whole_number("first_row", first_row, least=0, hint="leave it out for all rows")
    flag(hint="leave it out")("progress", progress)
    heads = _prompts(model, prompts, tokenizer)
    stops = _stop_ids(model, stop_ids)
    rows: list[Any] = [None] * len(heads)
    with tqdm(total=len(heads), desc="writing", disable=None if progress else True) as bar:
        for numbers in _batches(heads, batch_size):
            drawn = sample(
                model,
                num_sequences=len(numbers),
                length=length,
                seed=seed,
                prompt_ids=torch.from_numpy(np.stack([heads[number] for number in numbers])),
                decoding=decoding,
                batch_size=batch_size,
                numbers=[first_row + number for number in numbers],
                stop_ids=stops,
            ).numpy()
            for number, tail in zip(numbers, drawn, strict=True):
                rows[number] = _row(heads[number], _until_stop(tail, stops))
            bar.update(len(numbers))
    how = {name: [value] * len(rows) for name, value in to_columns(decoding).items()}
    tokens = {name: [row[name] for row in rows] for name in ("input_ids", DRAWN_MASK_COLUMN)}
    return datasets.Dataset.from_dict({**tokens, **how}, features=datasets.Features(_FEATURES))


def _prompts(model: nn.Module, prompts: int | Prompts, tokenizer: Any) -> list[Ids]:
    if isinstance(prompts, int | np.integer):
        count = whole_number("prompts", prompts, least=1, hint="ask for some rows, or give prompts")
        return [np.array([start_id(innermost(model), "prompts")])] * count
    found = as_prompts(prompts, as_tokenizer(tokenizer))
    check_ids("prompts", model, torch.from_numpy(np.concatenate(found)))
    return found


def _batches(heads: Sequence[Ids], batch_size: int) -> Iterator[list[int]]:
    """Numbers of rows whose prompts are of one length, the longest first.

    So what does not fit, into the model's positions or into memory, is found at once.
    """
    of_length: dict[int, list[int]] = {}
    for number, head in enumerate(heads):
        of_length.setdefault(len(head), []).append(number)
    for _, numbers in sorted(of_length.items(), reverse=True):
        for start in range(0, len(numbers), batch_size):
            yield numbers[start : start + batch_size]


def _until_stop(tail: Ids, stops: Sequence[int]) -> Ids:
    ends = np.flatnonzero(np.isin(tail, stops))
    return tail[: ends[0] + 1] if len(ends) else tail


def _row(head: Ids, tail: Ids) -> dict[str, Any]:
    mask = np.repeat(np.array([0, 1], dtype=np.int8), [len(head), len(tail)])
    return {"input_ids": np.concatenate([head, tail]), DRAWN_MASK_COLUMN: mask}


def _stop_ids(model: nn.Module, given: int | Sequence[int] | None) -> list[int]:
    if given is None:
        inside = innermost(model)
        configs = (getattr(inside, name, None) for name in ("generation_config", "config"))
        named = [getattr(config, "eos_token_id", None) for config in configs]
        given = next((ids for ids in named if ids is not None), ())
    hint = "give () for rows of full length"
    many: Any = [given] if isinstance(given, int | np.integer) else given
    ids = listed("stop_ids", many, expected="token ids", hint=hint)
    if not all(isinstance(stop, int | np.integer) for stop in ids):
        raise bad_argument(
            "stop_ids",
            expected="token ids",
            given=given,
            hint="give those of tokenizer.convert_tokens_to_ids, or () for rows of full length",
        )
    return [int(stop) for stop in ids]
