"""Words of texts as numbers, the same ones in human and in synthetic texts."""

from collections.abc import Iterable

import numpy as np

from collapse_guard.arguments import understood
from collapse_guard.human_text.token_rows import TokenRows
from collapse_guard.human_text.words import WordSpans, spelling, word_spans


class WordNumbers:
    """Gives each word a number, from 0 up, in the order in which they come.

    Args:
        spans: From a text to its words; the usual one is for scripts that part words.

    Attributes:
        words: The words, as `spelling` writes them, by their numbers.

    Example:
        >>> numbers = WordNumbers()
        >>> numbers.of(["A rose is a rose"]).ids.tolist(), numbers.words
        ([0, 1, 2, 0, 1], ['a', 'rose', 'is'])
    """

    def __init__(self, spans: WordSpans = word_spans) -> None:
        self.words: list[str] = []
        self._spans = spans
        self._by_spelling: dict[str, int] = {}
        # As they are written, since to spell a word costs more than to look it up.
        self._as_written: dict[str, int] = {}

    def of(self, texts: Iterable[str]) -> TokenRows:
        """The words of some texts, a row for each text.

        Raises:
            ArgumentError: The spans are none.
        """
        ids: list[int] = []
        lengths = []
        expected = "a function from a text to the first and the last character of each word"
        with understood("spans", self._spans, expected=expected, hint="leave it out"):
            for text in texts:
                before = len(ids)
                ids.extend(self._number(text[begin:end]) for begin, end in self._spans(text))
                lengths.append(len(ids) - before)
        return TokenRows(np.array(ids, dtype=np.int64), np.array(lengths, dtype=np.int64))

    def _number(self, written: str) -> int:
        known = self._as_written.get(written)
        if known is not None:
            return known
        word = spelling(written)
        number = self._by_spelling.setdefault(word, len(self.words))
        if number == len(self.words):
            self.words.append(word)
        self._as_written[written] = number
        return number
