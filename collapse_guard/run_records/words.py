"""What lost words are told by, in the lines of a run's file."""

import base64
import binascii
from dataclasses import asdict
from typing import Any

import numpy as np

from collapse_guard.readings.at_positions import Floats
from collapse_guard.readings.lost_words import MOST_WORDS, LostWord, LostWords
from collapse_guard.statistics.json_forms import Part

_HALF_PRECISION = np.dtype("<f2")

ROUNDING = 2.0**-10
"""By what part of itself a log-probability, or a sum of some, may be off that was written down."""

_LEAST = -1e6
"""Of a word, whose tokens may be many."""


def packed_logprobs(logprobs: Floats) -> str:
    """Log-probabilities in half precision, little-endian and in base64: 8 bytes for 3 of them.

    Args:
        logprobs: float64 of shape (positions,), natural logarithms.

    Example:
        >>> packed_logprobs(np.array([-1.5, -20.0]))
        'AL4AzQ=='
    """
    lowest = float(np.finfo(_HALF_PRECISION).min)
    numbers = np.clip(logprobs, lowest, 0.0).astype(_HALF_PRECISION)
    return base64.b64encode(numbers.tobytes()).decode("ascii")


def logprobs_of(part: Part) -> Floats:
    """What `packed_logprobs` gave.

    Raises:
        ArgumentError: It is no such text.
    """
    wanted = "log-probabilities in half precision and base64"
    try:
        content = base64.b64decode(part.text(), validate=True)
    except (binascii.Error, ValueError) as error:
        raise part.wrong(wanted) from error
    part.check(len(content) % _HALF_PRECISION.itemsize == 0, wanted)
    numbers = np.frombuffer(content, _HALF_PRECISION).astype(np.float64)
    part.check(bool(((numbers <= 0) & np.isfinite(numbers)).all()), wanted)
    return numbers


def words_values(lost: LostWords) -> dict[str, Any]:
    """Lost words in plain JSON types."""
    return asdict(lost)


def words_of(part: Part) -> LostWords:
    """What `words_values` gave.

    Raises:
        ArgumentError: They are no such words, or have not fallen.
    """
    parts = part.keys("words", "compared", "halved", "doubled")
    compared, halved, doubled = (parts[name].whole() for name in ("compared", "halved", "doubled"))
    parts["compared"].check(compared >= halved + doubled, "at least as many as fell or rose")
    words = tuple(_word(each) for each in parts["words"].items(most=MOST_WORDS))
    parts["words"].check(len(words) <= halved, "no more words than fell")
    return LostWords(words, compared, halved, doubled)


def _word(part: Part) -> LostWord:
    texts = ("word", "before", "shown", "after")
    parts = part.keys(*texts, "occurrences", "start_logprob", "end_logprob")
    start = parts["start_logprob"].number(least=_LEAST, most=0.0)
    return LostWord(
        occurrences=parts["occurrences"].whole(least=1),
        start_logprob=start,
        end_logprob=parts["end_logprob"].number(least=_LEAST, most=start),
        **{name: parts[name].text() for name in texts},
    )
