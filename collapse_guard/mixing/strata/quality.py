"""How good each row of a source is said to be, in groups of like quality."""

from typing import Any

import numpy as np

from collapse_guard.errors import bad_argument
from collapse_guard.mixing.strata.ranking import Ranking, quantile_cuts

_LEVELS = 10


def rank_by_quality(name: str, quality: Any, num_rows: int) -> Ranking:
    """Ten groups of like quality, cut at quantiles, and one of the rows of quality 0 if any.

    Args:
        name: Of the source, for errors.
        quality: One number for each row, at least 0 and not all 0.
        num_rows: Rows of the source.

    Raises:
        ArgumentError: It is something else.

    Example:
        >>> rank_by_quality("wiki", [0.5, 0.0, 1.0, 1.0], 4).cuts.tolist()
        [0.5, 1.0]
    """
    try:
        values = np.asarray(quality, dtype=np.float32)
    except (TypeError, ValueError):
        values = np.empty(0, dtype=np.float32)
    # Not a number is not below itself either: written so that it fails.
    if values.shape != (num_rows,) or not (values.min() >= 0 and 0 < values.max() < np.inf):
        raise bad_argument(
            "quality",
            expected=f"one number of at least 0 for each of the {num_rows} rows of `{name}`, not "
            "all of them 0",
            given=quality,
            hint="1 for rows to show as usual, 0.5 for half as often, 0 for never",
        )
    positive = values[values > 0]
    cuts = quantile_cuts([positive], _LEVELS)
    if len(positive) < num_rows:
        cuts = np.concatenate([[positive.min()], cuts])
    return Ranking(values, cuts)
