"""Prompts in the forms that people have them in, as token ids: one prompt for each row."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from collapse_guard.arguments import listed
from collapse_guard.errors import bad_argument
from collapse_guard.human_text.tokenizer import Tokenizer

Ids = npt.NDArray[np.int64]

Prompts = Iterable[Any]
"""Token ids, texts, or chats (lists of messages), one for each row."""

_EXPECTED = "a number of rows, or a list with one prompt for each: token ids, texts or chats"


def as_prompts(prompts: Prompts, tokenizer: Any = None) -> list[Ids]:
    """Each prompt as token ids.

    Args:
        prompts: One for each row. Token ids, as lists, arrays or tensors of several lengths or as
            one matrix of shape (rows, P), whose rows have no padding; or texts; or chats, each a
            list of messages such as `{"role": "user", "content": "Hello"}`.
        tokenizer: For texts and chats: the model's own. To a text it adds the special tokens that
            it adds by default. A chat goes through its chat template, up to where an answer begins.

    Returns:
        int64 of shape (P,) each, P at least 1.

    Raises:
        ArgumentError: There is none, one holds no token or something else, or texts or chats come
            without a tokenizer that takes them.

    Example:
        >>> [ids.tolist() for ids in as_prompts([[5, 3, 1], np.array([2])])]
        [[5, 3, 1], [2]]
    """
    if isinstance(prompts, str | bytes | Mapping) or not isinstance(prompts, Iterable):
        raise _error(prompts, "put a single prompt into a list")
    given = listed("prompts", prompts, expected=_EXPECTED, hint="give a list of prompts")
    found = [_ids(prompt, tokenizer) for prompt in given]
    if not found:
        raise _error([], "give at least one, or a number of rows that begin without a prompt")
    return found


def _ids(prompt: Any, tokenizer: Any) -> Ids:
    if isinstance(prompt, Mapping):
        raise _error(prompt, "give a list of messages for each row")
    if isinstance(prompt, str):
        ids = _of_text(prompt, tokenizer)
    elif isinstance(prompt, Sequence) and prompt and isinstance(prompt[0], Mapping):
        ids = _of_chat(prompt, tokenizer)
    else:
        ids = prompt
    try:
        array = np.asarray(ids)
    except (TypeError, ValueError):
        array = np.zeros(())
    if array.ndim != 1 or not len(array):
        raise _error(prompt, "give at least one token a row, and a list for each row")
    if not np.issubdtype(array.dtype, np.integer):
        raise _error(prompt, "tokenize it first, or give the tokenizer too")
    return array.astype(np.int64)


def _of_text(text: str, tokenizer: Any) -> Any:
    if not isinstance(tokenizer, Tokenizer):
        raise _no_tokenizer(tokenizer, "texts")
    ids = tokenizer.encode(text, add_special_tokens=True)
    return getattr(ids, "ids", ids)


def _of_chat(messages: Sequence[Mapping[str, Any]], tokenizer: Any) -> Any:
    if not callable(getattr(tokenizer, "apply_chat_template", None)):
        raise _no_tokenizer(tokenizer, "chats")
    if not getattr(tokenizer, "chat_template", None):
        raise bad_argument(
            "tokenizer",
            expected="a tokenizer with a chat template, since `prompts` holds chats",
            given=tokenizer,
            hint="set tokenizer.chat_template, or give texts",
        )
    encoded = tokenizer.apply_chat_template(
        list(messages), add_generation_prompt=True, tokenize=True, return_dict=True
    )
    return encoded["input_ids"]


def _no_tokenizer(tokenizer: Any, what: str) -> Exception:
    return bad_argument(
        "tokenizer",
        expected=f"the model's own tokenizer, since `prompts` holds {what}",
        given=tokenizer,
        hint="give it, or its name or path",
    )


def _error(given: Any, hint: str) -> Exception:
    return bad_argument("prompts", expected=_EXPECTED, given=given, hint=hint)
