"""What a world is: data, a model that can be fitted to them and sampled, and readings of it."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

Rows = npt.NDArray[Any]
"""Of shape (rows, replicates, ...): the i-th row of every replicate stands in one place, so that
one `MixGuard` mixes all of them."""


class World(Protocol):
    """Data, a model and readings, for many independent replicates at once.

    Rows of a replicate are independent of each other and of one law, so that it does not matter
    that all replicates are mixed in one order.

    Attributes:
        meanings: What each reading is, by its name: a noun phrase.
    """

    @property
    def meanings(self) -> Mapping[str, str]:
        """What each reading is, by its name: a noun phrase."""

    def human(self, rows: int, replicates: int, generator: np.random.Generator) -> Rows:
        """Fresh human rows, of shape (rows, replicates, ...)."""

    def fit(self, rows: Rows) -> Any:
        """One model for each replicate, fitted to its rows."""

    def sample(self, model: Any, rows: int, generator: np.random.Generator) -> Rows:
        """As many rows as asked for from each replicate's model, as `human` gives them."""

    def readings(self, model: Any) -> Mapping[str, Floats]:
        """Each reading of `meanings`, float64 of shape (replicates,)."""
