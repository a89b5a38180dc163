"""Sources and mixed streams of them, made short."""

from typing import Any

import numpy as np

from collapse_guard.mixing import MixGuard, Source
from tests.mixing.conftest import Count


def human(rows: int = 10_000, name: str = "wiki", **settings: Any) -> Source:
    return Source(Count(rows), name, "human", **settings)


def model(rows: int = 10_000, name: str = "model", **settings: Any) -> Source:
    return Source(Count(rows), name, "synthetic", **settings)


def guard(humans: Any, synthetic: Any, **settings: Any) -> MixGuard:
    arguments: dict[str, Any] = {"human_fraction": 0.25, "block_size": 8, "length": 800} | settings
    return MixGuard(humans, synthetic, **arguments)


def shown(guard: MixGuard) -> dict[str, int]:
    counts = np.bincount(guard.locate(range(len(guard))).source, minlength=len(guard.sources))
    return {source.name: int(n) for source, n in zip(guard.sources, counts, strict=True)}
