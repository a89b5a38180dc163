"""The whole words of a panel: in which window each stands, and which tokens spell it."""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from collapse_guard.human_text.panel import HeldOutPanel
from collapse_guard.human_text.words import Decode, TokenWord, WordSpans, whole_words, word_spans

_DECODINGS_KEPT = 1 << 17


def panel_words(
    panel: HeldOutPanel, decode: Decode, *, spans: WordSpans = word_spans
) -> Iterator[tuple[int, TokenWord]]:
    """Each whole word of a panel whose tokens are all looked at, with its window.

    What stands beside a word has to show that it is whole, which at the edge of a window cannot be
    told (`collapse_guard.human_text.words.whole_words`).

    Args:
        panel: The held-out text.
        decode: What `collapse_guard.human_text.words.decoder` gives for the panel's tokenizer.
        spans: From a text to the spans of its words. The usual one is for scripts that part words.

    Returns:
        Window by window, in the order of the text. Tokens are numbered within the window.

    Example:
        >>> from collapse_guard import HumanReference
        >>> pieces = ["the", " fox", " ow", "l", " ran", "."]
        >>> reference = HumanReference.from_token_ids([[0, 1, 4, 5] * 9, [2, 3]], vocab_size=6)
        >>> rows = [[0, 1, 4, 5, 0, 2, 3, 4], [0, 2, 3, 4, 5, 0, 1, 4]]
        >>> panel = HeldOutPanel.from_token_ids(rows, reference, window=8)
        >>> for window, word in panel_words(panel, lambda ids: "".join(pieces[i] for i in ids)):
        ...     print(window, *word)
        0 ran 2 3
        0 the 4 5
        0 owl 5 7
        1 ran 3 4
        1 the 5 6
        1 fox 6 7
    """
    kept = lru_cache(_DECODINGS_KEPT)(decode)
    for window, (ids, looked_at) in enumerate(
        zip(panel.input_ids.tolist(), panel.positions.numpy(), strict=True)
    ):
        # What is not looked at may be no text, or stand before text that it does not belong to.
        edges = np.flatnonzero(np.diff(looked_at, prepend=False, append=False))
        for begin, end in edges.reshape(-1, 2).tolist():
            for word in whole_words(tuple(ids[begin:end]), kept, spans=spans):
                yield window, word._replace(first=begin + word.first, end=begin + word.end)
