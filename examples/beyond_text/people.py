"""Digits that people wrote, of which two are rare, and a judge that tells digits apart."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from collapse_guard.extras import require

Images = npt.NDArray[np.uint8]
"""Of shape (images, 64): grey levels from 0 to `LEVELS`, row by row."""

Labels = npt.NDArray[np.int64]

LEVELS = 16
"""The largest grey level."""

CLASSES = 10

DIGIT = "digit"
"""The column of a row that says which digit its image shows."""


@dataclass(frozen=True)
class People:
    """Real handwriting, dealt out.

    Attributes:
        images: What a first model may learn from.
        digits: int64 of shape (images,), which digit each is.
        held_out: Images that no model learns from, all digits alike.
        held_out_digits: As `digits`.
        rare: The digits of which there are few in `images`.
    """

    images: Images
    digits: Labels
    held_out: Images
    held_out_digits: Labels
    rare: tuple[int, ...]

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The images as rows of a mix."""
        return as_rows(self.images, self.digits)


def people(
    seed: int, *, rare: tuple[int, ...] = (4, 7), count: int = 12, held_out: int = 70
) -> People:
    """The digits that scikit-learn ships (Alpaydin and Kaynak, 1998, UCI), dealt out by chance.

    Args:
        seed: Of the chance.
        rare: Digits of which few are left to learn from.
        count: So many of each.
        held_out: So many of each digit are held out; 174 or more are there of each.

    Raises:
        MissingExtraError: scikit-learn is not installed.
    """
    data = require("sklearn.datasets", "dev").load_digits()
    images, digits = data.data.astype(np.uint8), data.target.astype(np.int64)
    generator = np.random.default_rng(seed)
    held, kept = [], []
    for digit in range(CLASSES):
        of_digit = generator.permutation(np.flatnonzero(digits == digit))
        held.append(of_digit[:held_out])
        kept.append(of_digit[held_out:][: count if digit in rare else None])
    at, rest = np.concatenate(held), np.concatenate(kept)
    return People(images[rest], digits[rest], images[at], digits[at], rare)


def as_rows(images: Images, digits: Labels) -> list[dict[str, Any]]:
    """Images and their digits as rows: an array each, and a whole number."""
    return [
        {"image": image, DIGIT: int(digit)} for image, digit in zip(images, digits, strict=True)
    ]


class Judge:
    """Says which digit an image shows: a support vector machine that learned from held-out images.

    Args:
        people: Whose held-out images it learns from.

    Raises:
        MissingExtraError: scikit-learn is not installed.
    """

    def __init__(self, people: People) -> None:
        machines = require("sklearn.svm", "dev")
        self._machine = machines.SVC(gamma="scale").fit(
            people.held_out.astype(np.float64), people.held_out_digits
        )

    def digits(self, images: Images) -> Labels:
        """Which digit each image shows: int64 of shape (images,)."""
        told: Labels = self._machine.predict(images.astype(np.float64)).astype(np.int64)
        return told
