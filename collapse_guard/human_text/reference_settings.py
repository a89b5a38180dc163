"""What a file says of a human reference: its settings and counts, checked."""

import json
from typing import Any

import numpy as np
import numpy.typing as npt

from collapse_guard.statistics.json_forms import MOST, Part

FORMAT = 2

_FORMATS = (1, FORMAT)


def reference_settings(written: str, vocab_size: int) -> dict[str, Any]:
    """The settings of a reference, as its constructor takes them.

    Args:
        written: JSON, as the file has it.
        vocab_size: Types that the file has counts of.

    Raises:
        ValueError: They are no such settings, or of a newer format.
    """
    try:
        whole = Part("settings", json.loads(written))
    except RecursionError as error:
        raise ValueError("the settings are nested too deep") from error
    # Files of the first format know nothing of what was left out.
    parts = whole.keys(
        "format",
        "fingerprint",
        "tail_mass",
        "smoothing",
        optional=["special_ids", "left_out"],
    )
    version, named = parts["format"].whole(), parts["fingerprint"]
    whole.check(version in _FORMATS, f"settings of format {FORMAT} or older")
    settings: dict[str, Any] = {
        "fingerprint": None if named.value is None else named.text(),
        "tail_mass": parts["tail_mass"].number(least=0.0, most=1.0),
        "smoothing": parts["smoothing"].number(least=0.0),
    }
    if "special_ids" in parts:
        ids = parts["special_ids"].wholes(most=vocab_size - 1)
        parts["special_ids"].check(bool((np.diff(ids) > 0).all()), "types in rising order")
        settings["special_ids"] = tuple(ids.tolist())
    if "left_out" in parts:
        left_out = parts["left_out"].entries()
        settings["left_out"] = {name: each.whole() for name, each in left_out.items()}
    return settings


def check_counts(counts: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Refuse what are no counts of types.

    Raises:
        ValueError: They are not a list of whole numbers from 0, whose sum int64 holds.
    """
    if counts.ndim != 1 or counts.dtype.kind not in "iu" or not counts.size:
        raise ValueError("counts are whole numbers, one of each type")
    if counts.min() < 0 or float(counts.sum(dtype=np.float64)) > MOST:
        raise ValueError("counts are from 0 on, and their sum is no more than int64 holds")
    return counts
