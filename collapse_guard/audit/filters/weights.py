"""Weights of rows from what a detector or a filter says of them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from collapse_guard.arguments import number
from collapse_guard.audit.filters.rejection import RejectionReport, as_numbers, rejection_by_rarity
from collapse_guard.errors import bad_argument

Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class RowWeights:
    """How much each row of a source should count, and what that does to rare contents.

    Attributes:
        weights: float64 of shape (rows,), from 0 to 1: for `Source(quality=...)`.
        rejection: Who pays for it. Look at `rejection.eats_tail` before you use the weights.
    """

    weights: npt.NDArray[np.float64]
    rejection: RejectionReport


def quality_weights(
    scores: Floats, rarity: Floats, *, least: float = 0.1, strength: float = 1.0
) -> RowWeights:
    """Turn a detector's scores into weights: `least + (1 - least) (1 - score)^strength`.

    Soft weights keep what a hard filter would lose where the detector errs. Showing rows in
    proportion to the confidence that people wrote them keeps models trained on unlabelled mixtures
    from collapse (Drayson, Yilmaz and Lampos 2025, "Machine-generated text detection prevents
    language model collapse", EMNLP).

    Args:
        scores: float of shape (rows,), a `TextDetector`'s, from 0 to 1.
        rarity: float of shape (rows,), of the same rows: `row_rarity`. It is asked for so
            that nobody uses a detector without seeing whom it hits.
        least: The weight of a row that is surely machine-written, from 0 to 1. A row of weight 0
            is never shown, on the word of a detector.
        strength: How fast weights fall, above 0.

    Raises:
        ArgumentError: Shapes that differ, or a value out of range.

    Example:
        >>> weighed = quality_weights(np.array([0.0, 0.5, 1.0]), np.array([1.0, 2.0, 3.0]))
        >>> weighed.weights.round(2).tolist(), weighed.rejection.eats_tail
        ([1.0, 0.55, 0.1], False)
    """
    rarity = as_numbers("rarity", rarity)
    weights = soft_weights(scores, least=least, strength=strength)
    return RowWeights(weights, rejection_by_rarity(weights, rarity))


def soft_weights(
    scores: Floats, *, least: float = 0.1, strength: float = 1.0
) -> npt.NDArray[np.float64]:
    """The weights of `quality_weights`, without asking whom they hit.

    Args:
        scores: float of shape (rows,), as there.
        least: As there.
        strength: As there.

    Raises:
        ArgumentError: A value out of range.
    """
    given = as_numbers("scores", scores)
    if not ((given >= 0) & (given <= 1)).all():
        raise bad_argument(
            "scores",
            expected="probabilities from 0 to 1",
            given=scores,
            hint="take them from detector_scores",
        )
    least = number("least", least, least=0, most=1, what="a weight", hint="0.1 is the default")
    strength = number("strength", strength, above=0, hint="1 is the default")
    weights: npt.NDArray[np.float64] = least + (1.0 - least) * (1.0 - given) ** strength
    return weights
