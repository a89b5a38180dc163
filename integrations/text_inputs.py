"""What users of other libraries have, turned into what the core takes: ids, tokenizers, models."""

import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from collapse_guard.errors import bad_argument
from collapse_guard.extras import require
from collapse_guard.human_text.left_out import special_token_ids
from collapse_guard.human_text.reference import HumanReference
from collapse_guard.human_text.tokenizer import Tokenizer, encoded

Ids = npt.NDArray[np.int64]


def as_reference(given: HumanReference | str | os.PathLike[str] | None) -> HumanReference:
    """The human reference itself, or the one saved at a path.

    Raises:
        ArgumentError: Neither was given, or the file is no saved reference.
    """
    if isinstance(given, HumanReference):
        return given
    if given is None or not os.path.exists(given):
        raise bad_argument(
            "human_reference",
            expected="a HumanReference, or the path of a saved one",
            given=given,
            hint="count human text with HumanReference.from_token_ids, and keep it with save()",
        )
    return HumanReference.load(given)


def as_tokenizer(given: Any) -> Any:
    """The tokenizer itself, or the one that `transformers` finds under a name or path."""
    if isinstance(given, str | os.PathLike):
        auto = require("transformers", "huggingface").AutoTokenizer
        return _loaded("tokenizer", auto.from_pretrained, given)
    return given


def as_model(argument: str, given: Any) -> torch.nn.Module:
    """The model itself, or the one that `transformers` finds under a name or path.

    Raises:
        ArgumentError: Neither was given.
    """
    if isinstance(given, str | os.PathLike):
        auto = require("transformers", "huggingface").AutoModelForCausalLM
        given = _loaded(argument, auto.from_pretrained, given)
    if not isinstance(given, torch.nn.Module):
        raise bad_argument(
            argument,
            expected="a causal language model, or its name or path",
            given=given,
            hint="give the model that is looked at",
        )
    return given


def _loaded(argument: str, load: Callable[[Any], Any], name: Any) -> Any:
    try:
        return load(name)
    except (OSError, ValueError, RuntimeError, TypeError) as error:
        raise bad_argument(
            argument,
            expected=f"a {argument}, or a name or path that transformers finds one under",
            given=name,
            hint="look at the error above, or give the object itself",
        ) from error


def check_tokenizer(tokenizer: Any, reference: HumanReference) -> Tokenizer:
    """The tokenizer that a human reference was counted with, and nothing else.

    Raises:
        ArgumentError: It is no Hugging Face tokenizer: words have no place in a reference.
        TokenizerMismatchError: It is another one.
    """
    if not isinstance(tokenizer, Tokenizer):
        raise bad_argument(
            "tokenizer",
            expected="the tokenizer that `human_reference` was counted with",
            given=tokenizer,
            hint="give it, or its name or path",
        )
    reference.check_tokenizer(tokenizer)
    return tokenizer


def as_token_ids(
    texts: Iterable[str], tokenizer: Tokenizer | Callable[[str], Sequence[Any]] | None
) -> list[Ids]:
    """Texts as token ids.

    Args:
        texts: One document each.
        tokenizer: A Hugging Face tokenizer, which adds no special tokens here; or any function
            from a text to its tokens; or None for what stands between spaces. Tokens that are not
            ids are numbered as they come, so texts that are compared go through one call. Special
            tokens that are written in a text, such as the end of one, are no part of it.

    Raises:
        ArgumentError: There is no text, none that holds a token, or something that is no text.
    """
    split = _splitter(tokenizer)
    numbers: dict[Any, int] = {}
    documents = []
    for text in [texts] if isinstance(texts, str) else texts:
        if not isinstance(text, str):
            raise bad_argument(
                "texts",
                expected="texts",
                given=text,
                hint='give them decoded, or take the configuration "token_ids"',
            )
        tokens = split(text)
        if not all(isinstance(token, int | np.integer) for token in tokens):
            tokens = [numbers.setdefault(token, len(numbers)) for token in tokens]
        documents.append(np.array(tokens, dtype=np.int64))
    if not any(map(len, documents)):
        raise bad_argument(
            "texts",
            expected="at least one text that is not empty",
            given=f"{len(documents)} texts without a token",
            hint="look at what wrote them",
        )
    return documents


def _splitter(
    tokenizer: Tokenizer | Callable[[str], Sequence[Any]] | None,
) -> Callable[[str], Sequence[Any]]:
    if tokenizer is None:
        return str.split
    if isinstance(tokenizer, Tokenizer):
        special = special_token_ids(tokenizer)
        return lambda text: [i for i in encoded(tokenizer, text) if i not in special]
    if callable(tokenizer):
        return tokenizer
    raise bad_argument(
        "tokenizer",
        expected="a tokenizer, its name or path, a function from a text to its tokens, or None",
        given=tokenizer,
        hint="leave it out to compare words",
    )
