"""A short name for what a tokenizer does, so that counts are never read with another one."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from collapse_guard.arguments import understood, whole_number
from collapse_guard.errors import bad_argument

# Letters of several scripts, digits, spaces, line breaks and punctuation: two tokenizers with one
# vocabulary that split or normalise text differently almost surely differ on one of these.
_PROBE = (
    "The Quick brown fox's 1,234.5 jumps\n\nover  İstanbul — naïve café 東京 мир\t{x_1: [2]} 🙂 "
    "unhappinesses re-entering https://example.org/a?b=c"
)


@runtime_checkable
class Tokenizer(Protocol):
    """What is asked of a tokenizer: those of transformers have it, and those of `tokenizers`."""

    def get_vocab(self) -> Mapping[str, int]:
        """Token texts and their ids, added tokens included."""

    def encode(self, text: str, *, add_special_tokens: bool = ...) -> Any:
        """Token ids of a text, or an object that has them as `ids`."""


def encoded(tokenizer: Tokenizer, text: str) -> list[int]:
    """Token ids of a text, without special tokens."""
    with understood("tokenizer", tokenizer, **_USABLE):
        ids = tokenizer.encode(text, add_special_tokens=False)
        return list(getattr(ids, "ids", ids))


def num_ids(tokenizer: Tokenizer) -> int:
    """The largest token id and one: more than there are tokens where ids have gaps.

    Raises:
        ArgumentError: It is no tokenizer that can be used.
    """
    with understood("tokenizer", tokenizer, **_USABLE):
        return max(_checked(tokenizer).get_vocab().values(), default=-1) + 1


def num_types(vocab_size: int, tokenizer: Tokenizer | None) -> int:
    """The number of types asked for or, where a tokenizer's ids have gaps, its ids.

    Args:
        vocab_size: What was asked for.
        tokenizer: The tokenizer that made the ids, where it is known.

    Raises:
        ArgumentError: Fewer than 1 were asked for, or it is no tokenizer that can be used.
    """
    vocab_size = whole_number("vocab_size", vocab_size, least=1, hint="give len(tokenizer)")
    if tokenizer is None:
        return vocab_size
    ids = num_ids(tokenizer)
    return max(vocab_size, ids) if vocab_size == len(tokenizer.get_vocab()) else vocab_size


def tokenizer_fingerprint(tokenizer: Tokenizer) -> str:
    """Hash what decides token ids: the vocabulary, and the ids of a fixed probe text.

    Padding and truncation settings do not count, since training changes them on the way.

    Args:
        tokenizer: A tokenizer with `get_vocab` and `encode`.

    Returns:
        16 hexadecimal digits; equal for tokenizers that give equal ids.

    Raises:
        ArgumentError: It is no tokenizer that can be used.
    """
    _checked(tokenizer)
    with understood("tokenizer", tokenizer, **_USABLE):
        vocabulary = sorted(tokenizer.get_vocab().items(), key=lambda item: (item[1], item[0]))
        probe = encoded(tokenizer, _PROBE)
        return hashlib.sha256(json.dumps([vocabulary, probe]).encode()).hexdigest()[:16]


_USABLE = {
    "expected": "a tokenizer of transformers or of tokenizers, or another object with "
    "get_vocab() and encode(text, add_special_tokens=False)",
    "hint": "load it, as with AutoTokenizer.from_pretrained(name)",
}


def _checked(tokenizer: Tokenizer) -> Tokenizer:
    if not isinstance(tokenizer, Tokenizer):
        raise bad_argument("tokenizer", given=tokenizer, **_USABLE)
    # Those of `tokenizers` cut and pad in `encode` itself, where they were once told to.
    settings = {name: getattr(tokenizer, name, None) for name in ("truncation", "padding")}
    told = [name for name, setting in settings.items() if isinstance(setting, Mapping)]
    if told:
        raise bad_argument(
            "tokenizer",
            expected="one that gives all tokens of a text and no others",
            given=tokenizer,
            hint="call " + " and ".join(f"no_{name}()" for name in told) + " on it first",
        )
    return tokenizer
