"""Prompts that can go on in two ways, as the token ids that a model reads."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from collapse_guard.arguments import MOST, as_array, listed, understood
from collapse_guard.errors import bad_argument, shown
from collapse_guard.human_text.tokenizer import Tokenizer, encoded, num_ids

TokenIds = Sequence[int] | npt.NDArray[np.integer[Any]]
Continuations = str | TokenIds | Sequence[str] | Sequence[TokenIds]

_HOW_TO_GIVE = "give the same one for all prompts, or a list with one for each"


@dataclass(frozen=True, eq=False)
class ContinuationPairs:
    """Prompts, each with a continuation and an alternative to it.

    Attributes:
        input_ids: int64 of shape (2 x prompts, tokens): row 2i is prompt i with its continuation,
            row 2i + 1 the same prompt with the alternative; padded with 0 on the right.
        positions: bool of that shape: the tokens after the prompt.
        mask: bool of that shape: False on padding.
        names: What the two are called: texts where there is one for all prompts.
        fingerprint: Of the ids, 16 hexadecimal digits.
    """

    input_ids: torch.Tensor
    positions: torch.Tensor
    mask: torch.Tensor
    names: tuple[str, str]
    fingerprint: str

    def __len__(self) -> int:
        """Number of prompts."""
        return len(self.input_ids) // 2


def continuation_pairs(
    prompts: Sequence[str] | Sequence[TokenIds],
    continuation: Continuations,
    alternative: Continuations,
    *,
    tokenizer: Tokenizer | None = None,
    prefix: Sequence[int] = (),
) -> ContinuationPairs:
    """Put two continuations behind each prompt.

    Texts are tokenized as a model would read them: prompt and continuation *together*, without
    special tokens. Where the tokens begin with those of the prompt alone, the others are the
    continuation's; where they do not, the boundary lies inside a token, and no token is the
    continuation's alone. That is refused, since what such a token is likely to be is no matter of
    the continuation only. The usual cause is a space: with "It is an" go " owl" and " ant", and not
    "It is an " with "owl" and "ant".

    Args:
        prompts: Texts with a tokenizer, else token ids, at least one prompt.
        continuation: What the log-odds are for: one for all prompts, or one for each; a text or
            token ids as the prompts are, of at least one token.
        alternative: What they are against, in the same form. Where one of the two begins the other
            the model can hold both at once: the shorter is never less likely than the longer.
        tokenizer: The model's, for texts.
        prefix: Token ids before every prompt, such as the beginning-of-text token of a model that
            was trained with one; as of the panel.

    Raises:
        ArgumentError: No prompt, one without a token before its continuation, an empty
            continuation, two that are alike, texts without a tokenizer or ids with one, numbers of
            prompts and continuations that differ, or a prompt whose tokens do not begin those of
            prompt and continuation together.

    Example:
        >>> pairs = continuation_pairs([[5, 6], [7]], [1], [2, 3])
        >>> pairs.input_ids.tolist()
        [[5, 6, 1, 0], [5, 6, 2, 3], [7, 1, 0, 0], [7, 2, 3, 0]]
        >>> pairs.positions.sum(1).tolist()
        [1, 2, 1, 2]
    """
    asked = {
        "expected": "at least one prompt",
        "hint": 'give a list, such as ["My favourite animal is the"]',
    }
    is_list = not isinstance(prompts, str | bytes | Mapping)
    each_prompt: list[Any] = listed("prompts", prompts, **asked) if is_list else []
    if not each_prompt:
        raise bad_argument("prompts", given=prompts, **asked)
    if tokenizer is not None:
        # Refused here where it is none, or where it was told to cut or to pad.
        num_ids(tokenizer)
    before = _ids("prefix", prefix, None)
    ways = {"continuation": continuation, "alternative": alternative}
    each = {name: _one_each(name, given, len(each_prompt)) for name, given in ways.items()}
    rows: list[list[int]] = []
    lengths: list[int] = []
    for number, prompt in enumerate(each_prompt):
        both = [_split(tokenizer, prompt, name, each[name][number]) for name in ways]
        if both[0][1] == both[1][1]:
            raise bad_argument(
                "alternative",
                expected="another continuation than `continuation`",
                given=each["alternative"][number],
                hint=f"prompt {number} goes on in one way only, whose log-odds are 0",
            )
        for beginning, end in both:
            if not before + beginning:
                raise bad_argument(
                    "prompts",
                    expected="at least one token before each continuation",
                    given=prompt,
                    hint="give prefix=[tokenizer.bos_token_id] to ask from nothing",
                )
            rows.append(before + beginning + end)
            lengths.append(len(end))
    width = max(map(len, rows))
    ids = torch.tensor([row + [0] * (width - len(row)) for row in rows])
    column, ends = torch.arange(width), torch.tensor([[len(row)] for row in rows])
    mask = column < ends
    told = [shown(way) if isinstance(way, str) else f"the {name}" for name, way in ways.items()]
    return ContinuationPairs(
        input_ids=ids,
        positions=mask & (column >= ends - torch.tensor(lengths)[:, None]),
        mask=mask,
        names=(told[0], told[1]),
        fingerprint=hashlib.sha256(json.dumps([rows, lengths]).encode()).hexdigest()[:16],
    )


def _one_each(name: str, given: Any, count: int) -> Sequence[Any]:
    with understood(name, given, expected=f"one for each of {count} prompts", hint=_HOW_TO_GIVE):
        is_one = isinstance(given, str) or (
            len(given) > 0 and isinstance(given[0], int | np.integer)
        )
        if is_one or getattr(given, "ndim", None) == 1:
            return [given] * count
        is_fit = len(given) == count
    if not is_fit:
        raise bad_argument(
            name,
            expected=f"one for each of {count} prompts, or one for all",
            given=f"{len(given)} of them",
            hint=_HOW_TO_GIVE,
        )
    each: Sequence[Any] = given
    return each


def _split(
    tokenizer: Tokenizer | None, prompt: Any, name: str, continuation: Any
) -> tuple[list[int], list[int]]:
    """Token ids of a prompt, and of what comes after it."""
    beginning, end = _ids("prompts", prompt, tokenizer), _ids(name, continuation, tokenizer)
    if tokenizer is not None:
        joint = encoded(tokenizer, prompt + continuation)
        if joint[: len(beginning)] != beginning:
            raise bad_argument(
                name,
                expected="a text that the tokenizer parts from its prompt",
                given=f"{shown(continuation)} after {shown(prompt)}",
                hint="put the space between the two at the continuation's beginning, not at the "
                "prompt's end; or give token ids, without a tokenizer",
            )
        end = joint[len(beginning) :]
    if not end:
        raise bad_argument(
            name, expected="at least one token", given=continuation, hint=_HOW_TO_GIVE
        )
    return beginning, end


def _ids(name: str, given: Any, tokenizer: Tokenizer | None) -> list[int]:
    if isinstance(given, str) != (tokenizer is not None):
        raise bad_argument(
            name,
            expected="token ids, since there is no tokenizer" if tokenizer is None else "texts",
            given=given,
            hint="give tokenizer= with texts, and leave it out with token ids",
        )
    if tokenizer is not None:
        return encoded(tokenizer, given)
    wanted = {
        "expected": "token ids, whole numbers of at least 0, a list for each",
        "hint": "give what tokenizer(text)['input_ids'] returns",
    }
    ids = as_array(name, given, **wanted)
    if ids.ndim != 1 or (
        len(ids)
        and not (np.issubdtype(ids.dtype, np.integer) and ids.min() >= 0 and ids.max() < MOST)
    ):
        raise bad_argument(name, given=given, **wanted)
    found: list[int] = ids.tolist()
    return found
