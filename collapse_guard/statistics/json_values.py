"""Values as JSON has them, which knows no NaN and no infinity."""

import math
from collections.abc import Mapping
from typing import Any


def without_nan(value: Any) -> Any:
    """Mappings, lists and tuples in plain types, and None for numbers that are not finite.

    Example:
        >>> without_nan({"value": float("nan"), "interval": (0.5, float("inf"))})
        {'value': None, 'interval': [0.5, None]}
    """
    if isinstance(value, Mapping):
        return {str(name): without_nan(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
