"""Words of human text: where they stand, how often each occurs, and which tokens spell them."""

import re
import sys
import unicodedata
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from itertools import chain
from typing import Any, NamedTuple

from collapse_guard.errors import bad_argument
from collapse_guard.human_text.texts import checked_texts
from collapse_guard.human_text.tokenizer import Tokenizer, encoded

WordSpans = Callable[[str], Iterable[tuple[int, int]]]
"""From a text to the first character of each of its words and the one after its last."""

Decode = Callable[[Sequence[int]], str]
"""From token ids to their text."""

_UNFINISHED = "\ufffd"
"""What decoders write for bytes that are no whole character."""

_SETTINGS: tuple[dict[str, Any], ...] = (
    {"skip_special_tokens": False, "clean_up_tokenization_spaces": False},
    {"skip_special_tokens": False},
    {},
)
"""Those of transformers know both, those of `tokenizers` the first, and others maybe none."""


class TokenWord(NamedTuple):
    """A word and the tokens that spell it.

    Attributes:
        word: As `spelling` writes it.
        first: Number of its first token.
        end: Number of its last token, and one.
    """

    word: str
    first: int
    end: int


def word_spans(text: str) -> Iterator[tuple[int, int]]:
    r"""Words of a text: runs that begin with a letter and go on with letters, marks and digits.

    An apostrophe between letters belongs to the word, a hyphen or an underscore does not, and what
    begins with a digit is no word. Scripts that do not part words (Chinese, Japanese, Thai) need a
    function of their own: here a whole clause of them is one word.

    Args:
        text: Any text.

    Returns:
        The first character of each word, and the one after its last.

    Example:
        >>> text = "The fox's 1990s re-entry: na\u00efve, x2"
        >>> [text[begin:end] for begin, end in word_spans(text)]
        ['The', "fox's", 're', 'entry', 'naïve', 'x2']
    """
    return (found.span() for found in _word_pattern().finditer(text))


def spelling(word: str) -> str:
    r"""What counts as one word: its NFKC form without case, apostrophes straight.

    Example:
        >>> spelling("\uff26ox\u2019s")
        "fox's"
    """
    return unicodedata.normalize("NFKC", word).casefold().replace("\u2019", "'")


def word_counts(
    texts: Iterable[str], tokenizer: Tokenizer, *, spans: WordSpans = word_spans
) -> Counter[str]:
    """How often each word occurs in human text, as the tokenizer writes it back.

    A tokenizer may drop accents or case, or write what it does not know in another way. So texts
    are encoded and decoded before words are counted: they are spelt as those of tokens are.

    Args:
        texts: The human text, a document at a time.
        tokenizer: With `decode`.
        spans: From a text to its words.

    Raises:
        ArgumentError: No texts, or a tokenizer that cannot decode.

    Example:
        >>> from tokenizers import Tokenizer, models, pre_tokenizers
        >>> tokenizer = Tokenizer(models.WordLevel({"a": 0, "fox": 1, "?": 2}, unk_token="?"))
        >>> tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
        >>> word_counts(["a fox, a hound"], tokenizer)
        Counter({'a': 2, 'fox': 1})
    """
    decode = decoder(tokenizer)
    counts: Counter[str] = Counter()
    for text in checked_texts("texts", texts):
        read_back = decode(encoded(tokenizer, text))
        counts.update(spelling(read_back[begin:end]) for begin, end in spans(read_back))
    return counts


def decoder(tokenizer: Tokenizer) -> Decode:
    """What tells the text of token ids, special tokens and spaces as they are.

    Args:
        tokenizer: Of transformers or of `tokenizers`, or another one with `decode(ids)`.

    Raises:
        ArgumentError: It cannot decode.
    """
    decode = getattr(tokenizer, "decode", None)
    if not callable(decode):
        raise bad_argument(
            "tokenizer",
            expected="one with decode(ids), which tells the text of tokens",
            given=tokenizer,
            hint="give the tokenizer of transformers or of tokenizers itself",
        )
    settings = next(each for each in _SETTINGS if not each or _is_taken(decode, each))
    return lambda ids: str(decode(list(ids), **settings))


def whole_words(
    ids: Sequence[int], decode: Decode, *, spans: WordSpans = word_spans
) -> list[TokenWord]:
    """Words that stand whole among tokens which may have been cut out of a text anywhere.

    What stands beside a word tells that it goes no further. So one is left out where the first
    token or the last one has a part in it, or where a letter next to them would change it; and so
    are words that share a token, whose probability is not that of one of them.

    Args:
        ids: Token ids, side by side in a text.
        decode: What `decoder` gives. It is called for a few tokens at a time, and many times for
            the same ones.
        spans: From a text to its words.

    Returns:
        The words in their order. Their tokens may bear spaces and punctuation too.

    Example:
        >>> pieces = {0: " a", 1: " quo", 2: "kka", 3: " hop", 4: "s."}
        >>> whole_words([2, 0, 1, 2, 3], lambda ids: "".join(pieces[i] for i in ids))
        [TokenWord(word='a', first=1, end=2), TokenWord(word='quokka', first=2, end=4)]
    """
    firsts, begins, text = _pieces(ids, decode)
    # As if a letter stood before and after.
    beside = {(begin - 1, end - 1) for begin, end in spans(f"x{text}x")}
    own = {
        (begin, end): range(bisect_right(begins, begin) - 1, bisect_right(begins, end - 1))
        for begin, end in sorted(spans(text))
        if begin < end
    }
    users = Counter(chain.from_iterable(own.values()))
    return [
        TokenWord(spelling(text[slice(*span)]), firsts[pieces.start], firsts[pieces.stop])
        for span, pieces in own.items()
        if span in beside
        and pieces.start > 0
        and pieces.stop < len(begins)
        and all(users[piece] == 1 for piece in pieces)
    ]


def _pieces(ids: Sequence[int], decode: Decode) -> tuple[list[int], list[int], str]:
    """The text in pieces of as few tokens as have a text of their own: one, but within a character.

    Each is decoded behind the piece before it, since decoders treat what comes first in another
    way: some drop its space, some write that it goes on a word.

    Returns:
        The first token of each piece, its first character, and the text. What is no whole character
        at the end is a piece without a text.
    """
    firsts, begins, text = [], [], ""
    behind, first = 0, 0
    for end in range(1, len(ids) + 1):
        known, longer = decode(ids[behind:first]) if first else "", decode(ids[behind:end])
        is_more = len(longer) > len(known) and longer.startswith(known)
        if is_more and not longer.endswith(_UNFINISHED):
            firsts.append(first)
            begins.append(len(text))
            text += longer[len(known) :]
            behind, first = first, end
    if first < len(ids):
        firsts.append(first)
        begins.append(len(text))
    return firsts, begins, text


def _is_taken(decode: Callable[..., Any], settings: dict[str, Any]) -> bool:
    try:
        decode([], **settings)
    except TypeError:
        return False
    return True


@cache
def _word_pattern() -> re.Pattern[str]:
    # Two letters for each character, of which only the first is a capital.
    categories = "".join(map(unicodedata.category, map(chr, range(sys.maxunicode + 1))))
    # Vowel signs of many scripts are marks, which `\w` does not match; and it matches numbers that
    # `\d` does not.
    marks, numbers = _of_category("M", categories), _of_category("N", categories)
    letter, part = rf"[^\W_{numbers}]", rf"(?:[^\W_]|[{marks}])"
    return re.compile(rf"(?<![^\W_])(?<![{marks}]){letter}(?:{part}|['\u2019](?={letter}))*")


def _of_category(category: str, categories: str) -> str:
    """All characters of a Unicode category, as they stand between the brackets of a pattern."""
    runs = (run.span() for run in re.finditer(f"(?:{category}.)+", categories))
    return "".join(f"{chr(begin // 2)}-{chr(end // 2 - 1)}" for begin, end in runs)
