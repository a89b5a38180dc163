"""Which rare words a model has lost: those whose probability has fallen most since its start."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from collapse_guard.arguments import whole_number
from collapse_guard.human_text.panel import HeldOutPanel
from collapse_guard.human_text.words import Decode, TokenWord, WordSpans, word_spans
from collapse_guard.readings.at_positions import Floats, check_logprobs
from collapse_guard.readings.panel_words import panel_words

MOST_WORDS = 20
"""Words that are told, where more are lost."""

_HALF = math.log(2)
_TOKENS_BEFORE, _TOKENS_AFTER = 16, 10
_CHARACTERS = 80
_UNFINISHED = "\ufffd"


@dataclass(frozen=True)
class LostWord:
    """A word that a model gives less probability than it did, with one place where it stands.

    Attributes:
        word: As `collapse_guard.human_text.words.spelling` writes it.
        occurrences: Places of the panel that it was looked at in.
        start_logprob: Its log-probability at the start, all tokens together, natural logarithms,
            on average over those.
        end_logprob: The same at the end, which is less.
        before: Text before it, where it lost most.
        shown: Itself, as it stands there.
        after: Text after it.
    """

    word: str
    occurrences: int
    start_logprob: float
    end_logprob: float
    before: str
    shown: str
    after: str

    @property
    def kept(self) -> float:
        """Geometric share of its probability that is left."""
        return math.exp(self.end_logprob - self.start_logprob)


@dataclass(frozen=True)
class LostWords:
    """The words that a model has lost, and out of how many.

    Some words fall and some rise by chance in any training: `doubled` tells how many rose as much
    as those that are told have fallen.

    Attributes:
        words: Those with less than half of their probability left, by what is left of it; no more
            than were asked for, of which those that stand in more places come first.
        compared: Rare words that were compared.
        halved: How many of them have less than half left.
        doubled: How many have more than twice as much.
    """

    words: tuple[LostWord, ...]
    compared: int
    halved: int
    doubled: int


class _Place(NamedTuple):
    window: int
    word: TokenWord
    start: float
    end: float

    @property
    def moved(self) -> float:
        return self.end - self.start


def lost_words(
    panel: HeldOutPanel,
    decode: Decode,
    start_logprobs: Floats,
    logprobs: Floats,
    *,
    most: int = MOST_WORDS,
    spans: WordSpans = word_spans,
) -> LostWords:
    """Find the rare words of a panel that have lost most of their probability.

    Rare is a word with a token of the tail. Its log-probability is the sum of those of all of its
    tokens, and the mean of that over the places where it stands whole. Which words come first is
    decided by what they have lost in all, over one more than their places: a word that fell in
    several places alike tells more than one that fell as far in a single one.

    Args:
        panel: The held-out text.
        decode: What `collapse_guard.human_text.words.decoder` gives for the panel's tokenizer.
        start_logprobs: float64 of shape (positions,), natural logarithms, of the model that the run
            started from (`CollapseMonitor.position_logprobs`).
        logprobs: The same of the model as it is.
        most: Words to tell, at least 0.
        spans: From a text to the spans of its words. The usual one is for scripts that part words.

    Raises:
        ArgumentError: Another number of log-probabilities, or no number of words.

    Example:
        >>> from collapse_guard import HumanReference
        >>> pieces = ["the", " fox", " ow", "l", " ran", "."]
        >>> reference = HumanReference.from_token_ids([[0, 1, 4, 5] * 9, [2, 3]], vocab_size=6)
        >>> rows = [[0, 1, 4, 5, 0, 2, 3, 4], [0, 2, 3, 4, 5, 0, 1, 4]]
        >>> panel = HeldOutPanel.from_token_ids(rows, reference, window=8)
        >>> start = np.full(14, -2.0)
        >>> now = np.where(panel.input_ids.numpy()[:, 1:] == 2, -4.0, -2.0).ravel()
        >>> lost = lost_words(panel, lambda ids: "".join(pieces[i] for i in ids), start, now)
        >>> lost.words[0].shown, round(lost.words[0].kept, 3), lost.compared, lost.doubled
        ('owl', 0.135, 1, 0)
    """
    most = whole_number("most", most, least=0, hint="leave it out")
    for name, given in (("start_logprobs", start_logprobs), ("logprobs", logprobs)):
        check_logprobs(name, given, panel)
    places: dict[str, list[_Place]] = defaultdict(list)
    rare, numbers = panel.tail_positions.numpy(), _numbers(panel)
    for window, word in panel_words(panel, decode, spans=spans):
        if rare[window, word.first : word.end].any():
            begin = numbers[window, word.first]
            tokens = slice(begin, begin + word.end - word.first)
            sums = float(start_logprobs[tokens].sum()), float(logprobs[tokens].sum())
            places[word.word].append(_Place(window, word, *sums))
    moved = {word: _mean([each.moved for each in own]) for word, own in places.items()}
    fallen = [word for word, by in moved.items() if by < -_HALF]
    told = sorted(fallen, key=lambda word: (_weighed(moved[word], len(places[word])), word))[:most]
    return LostWords(
        words=tuple(
            _lost(panel, decode, places[word])
            for word in sorted(told, key=lambda word: (moved[word], word))
        ),
        compared=len(moved),
        halved=len(fallen),
        doubled=sum(by > _HALF for by in moved.values()),
    )


def _numbers(panel: HeldOutPanel) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """Of each position of the panel, its number in row-major order."""
    looked_at = panel.positions.numpy()
    return (np.cumsum(looked_at.ravel()) - 1).reshape(looked_at.shape)


def _weighed(moved: float, occurrences: int) -> float:
    return moved * occurrences / (occurrences + 1)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _lost(panel: HeldOutPanel, decode: Decode, places: Sequence[_Place]) -> LostWord:
    shown = min(places, key=lambda place: place.moved)
    return LostWord(
        shown.word.word[:_CHARACTERS],
        len(places),
        _mean([each.start for each in places]),
        _mean([each.end for each in places]),
        *_in_context(panel, decode, shown),
    )


def _in_context(panel: HeldOutPanel, decode: Decode, place: _Place) -> tuple[str, str, str]:
    """The text before a word, the word and the text after it, none of them long."""
    ids, looked_at = panel.input_ids[place.window].tolist(), panel.positions[place.window].tolist()
    first, end = place.word.first, place.word.end
    begin, stop = first, end
    # What is not looked at may be no text.
    while begin > max(first - _TOKENS_BEFORE, 0) and looked_at[begin - 1]:
        begin -= 1
    while stop < min(end + _TOKENS_AFTER, len(ids)) and looked_at[stop]:
        stop += 1
    before, with_word, text = (decode(ids[begin:to]) for to in (first, end, stop))
    if not (text.startswith(with_word) and with_word.startswith(before)):
        return _cut(*(decode(ids[a:b]) for a, b in pairwise((begin, first, end, stop))))
    return _cut(before, with_word[len(before) :], text[len(with_word) :])


def _cut(before: str, word: str, after: str) -> tuple[str, str, str]:
    """The same, shorter, with the spaces around the word beside it."""
    begin, end = len(word) - len(word.lstrip()), len(word.rstrip())
    return (
        (before + word[:begin]).lstrip(_UNFINISHED)[-_CHARACTERS:],
        word[begin:end][:_CHARACTERS],
        (word[end:] + after).rstrip(_UNFINISHED)[:_CHARACTERS],
    )
