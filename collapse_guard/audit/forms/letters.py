"""How far two kinds of rows are apart in the letters that they are spelled with."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from collapse_guard.audit.forms.characters import OTHER_LETTER, classes_of, codes_of
from collapse_guard.statistics.estimates import jackknife
from collapse_guard.statistics.student import student_half_width

NUM_BUCKETS = 4096
_CHARACTERS = 2048
NUM_GROUPS = 10

Profile = npt.NDArray[np.int64]


class LetterDistance(NamedTuple):
    """How much of the letter runs of two kinds of rows is not the same.

    Languages and ways of spelling lie far apart, and so do subjects to a lesser degree: this says
    that letters differ and not why.

    Attributes:
        size: Half the sum of all differences between the shares of runs of three letters, 0 to 1.
        low: Lower end of its 95% interval, from leaving out a tenth of the rows at a time.
        high: Upper end.
        among_human: The same between two halves of the human rows: what chance and mixed subjects
            make.
    """

    size: float
    low: float
    high: float
    among_human: float


def profile(texts: Iterable[str]) -> Profile:
    """Runs of three letters in ten groups of texts, each text's first 2,048 characters.

    Case does not count, and whatever is no letter is one space.

    Returns:
        int64 of shape (10, 4096): counts of runs by a hash of theirs.
    """
    counts = np.zeros((NUM_GROUPS, NUM_BUCKETS), dtype=np.int64)
    for number, text in enumerate(texts):
        codes = codes_of(text[:_CHARACTERS].lower())
        letters = np.where(classes_of(codes) <= OTHER_LETTER, codes, 32).astype(np.uint64)
        # Spaces in a row are one.
        letters = letters[
            np.concatenate([[True], (letters[1:] != 32) | (letters[:-1] != 32)])[: len(letters)]
        ]
        runs = (letters[:-2] << np.uint64(42)) | (letters[1:-1] << np.uint64(21)) | letters[2:]
        places = (runs * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(52)
        counts[number % NUM_GROUPS] += np.bincount(places.astype(np.int64), minlength=NUM_BUCKETS)
    return counts


def letter_distance(synthetic: Profile, human: Profile) -> LetterDistance | None:
    """Compare two profiles.

    Returns:
        None where a kind has fewer than ten texts with letters.
    """
    if (np.minimum(synthetic.sum(axis=1), human.sum(axis=1)) == 0).any():
        return None

    def of_groups(groups: Sequence[int]) -> float:
        kept = list(groups)
        return _distance(synthetic[kept].sum(axis=0), human[kept].sum(axis=0))

    size, error = jackknife(of_groups, range(NUM_GROUPS), groups=NUM_GROUPS)
    halves = _distance(human[::2].sum(axis=0), human[1::2].sum(axis=0))
    reach = student_half_width(error, NUM_GROUPS)
    return LetterDistance(size, max(size - reach, 0.0), min(size + reach, 1.0), halves)


def _distance(one: Profile, other: Profile) -> float:
    return float(np.abs(one / one.sum() - other / other.sum()).sum() / 2)
