"""What was read of a model: values by name, each with its error."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from collapse_guard.arguments import a, checked, real
from collapse_guard.errors import bad_argument
from collapse_guard.statistics.estimates import Estimate

Floats = npt.NDArray[np.float64]

_NO_INFLUENCES: Floats = np.zeros(0)


@dataclass(frozen=True)
class Reading(Mapping[str, float]):
    """What one look read, as a frozen mapping from name to value; empty where nobody looked.

    Attributes:
        step: The training step after which the look was taken.
        values_by_name: The values, by name; `collapse_guard.readings.registry.READINGS` says what
            each is. A look at a part of the panel has those alone that cost little.
        standard_errors: Their standard errors over documents; NaN where there is none.
        units: How many documents of equal weight each is over; infinite where that is unknown.
        influences: float64 of shape (documents,): what each document contributes to each error.
        is_full: Whether the whole panel was looked at. Else the values are exponentially weighted
            by how long ago each window was looked at (see `Rotation`).

    Example:
        >>> reading = Reading(8, {"tail_retention": 0.9}, {"tail_retention": 0.01})
        >>> reading["tail_retention"], reading.interval("tail_retention", z=2.0)
        (0.9, (0.88, 0.92))
    """

    step: int
    values_by_name: Mapping[str, float]
    standard_errors: Mapping[str, float]
    units: Mapping[str, float] = field(default_factory=dict)
    influences: Mapping[str, Floats] = field(default_factory=dict, compare=False, repr=False)
    is_full: bool = True

    @classmethod
    def of(cls, step: int, estimates: Mapping[str, Estimate], *, is_full: bool = True) -> "Reading":
        """The reading that is made of these estimates."""
        if not isinstance(estimates, Mapping) or not all(
            isinstance(each, Estimate) for each in estimates.values()
        ):
            raise bad_argument(
                "estimates",
                expected="an Estimate for each name",
                given=estimates,
                hint="give a dictionary of collapse_guard.statistics.estimates.Estimate",
            )
        return cls(
            step,
            MappingProxyType({name: each.value for name, each in estimates.items()}),
            MappingProxyType({name: each.standard_error for name, each in estimates.items()}),
            MappingProxyType({name: each.units for name, each in estimates.items()}),
            MappingProxyType({name: each.influences for name, each in estimates.items()}),
            is_full,
        )

    def __getitem__(self, name: str) -> float:
        return self.values_by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_by_name)

    def __len__(self) -> int:
        return len(self.values_by_name)

    def estimate(self, name: str) -> Estimate:
        """One value with everything that is known of its error."""
        return Estimate(
            self[name],
            self.standard_errors.get(name, math.nan),
            self.influences.get(name, _NO_INFLUENCES),
            self.units.get(name, math.inf),
        )

    @checked(z=real(above=0, hint="1.96 is usual"))
    def interval(self, name: str, *, z: float) -> tuple[float, float]:
        """Value plus and minus `z` standard errors; the value twice where it has no error."""
        error = self.standard_errors.get(name, math.nan)
        width = 0.0 if math.isnan(error) else z * error
        return self[name] - width, self[name] + width


A_READING = a(Reading, expected="a Reading", hint="give a look of a monitor, or Reading.of(...)")
"""Checks an argument that is to be one."""
