"""A short name for what a tokenizer does, so that counts are never read with another one."""

import hashlib
import json
from collections.abc import Mapping
from typing import Protocol, runtime_checkable

# Letters of several scripts, digits, spaces, line breaks and punctuation: two tokenizers with one
# vocabulary that split or normalise text differently almost surely differ on one of these.
_PROBE = (
    "The Quick brown fox's 1,234.5 jumps\n\nover  İstanbul — naïve café 東京 мир\t{x_1: [2]} 🙂 "
    "unhappinesses re-entering https://example.org/a?b=c"
)


@runtime_checkable
class Tokenizer(Protocol):
    """What is asked of a tokenizer: every Hugging Face tokenizer has it."""

    def get_vocab(self) -> Mapping[str, int]:
        """Token texts and their ids, added tokens included."""

    def encode(self, text: str, *, add_special_tokens: bool = ...) -> list[int]:
        """Token ids of a text."""


def tokenizer_fingerprint(tokenizer: Tokenizer) -> str:
    """Hash what decides token ids: the vocabulary, and the ids of a fixed probe text.

    Padding and truncation settings do not count, since training changes them on the way.

    Args:
        tokenizer: A tokenizer with `get_vocab` and `encode`.

    Returns:
        16 hexadecimal digits; equal for tokenizers that give equal ids.
    """
    vocabulary = sorted(tokenizer.get_vocab().items(), key=lambda item: (item[1], item[0]))
    probe = list(tokenizer.encode(_PROBE, add_special_tokens=False))
    return hashlib.sha256(json.dumps([vocabulary, probe]).encode()).hexdigest()[:16]
