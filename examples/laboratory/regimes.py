"""What each generation trains on: every regime is a function from a lesson to its `MixGuard`.

A regime of your own is such a function, and a line where it shall have a name:

    REGIMES["half"] = lambda lesson: mixed(lesson.human, lesson.written[-1:], 0.5)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from collapse_guard import MixGuard, Source
from collapse_guard.examples.laboratory.world import Rows
from collapse_guard.mixing.floor import HumanFraction

_SHOWINGS = 16
"""How often a row is shown where a share of slots is to be a weight: then counts differ by less
than a sixteenth."""


@dataclass(frozen=True)
class Lesson:
    """What a generation can be trained on.

    Attributes:
        human: Fresh human rows, of shape (rows, replicates, ...).
        first: The human rows that the first generation was trained on.
        written: What each generation so far wrote, the oldest first; at least one.
    """

    human: Rows
    first: Rows
    written: Sequence[Rows]

    @property
    def budget(self) -> int:
        """Rows that a generation writes."""
        return len(self.written[-1])


Regime = Callable[[Lesson], MixGuard]


def mixed(
    human: Rows | None,
    written: Sequence[Rows],
    human_fraction: HumanFraction,
    *,
    slots: int | None = None,
) -> MixGuard:
    """A mix in which all slots are one block, so that the floor holds to the row.

    Args:
        human: Human rows; None where there are none.
        written: What generations wrote, which share the other slots equally.
        human_fraction: The floor, as of `MixGuard`.
        slots: As many; None for the number of rows that the last generation wrote.
    """
    count = slots or len(written[-1])
    rows = sum(map(len, written)) + (0 if human is None else len(human))
    return MixGuard(
        human,
        [
            Source(each, f"generation {number}", "synthetic", generation=number)
            for number, each in enumerate(written, 1)
        ],
        human_fraction=human_fraction,
        block_size=count,
        length=count,
        max_repeats=max(4, _SHOWINGS * rows),
    )


def human(lesson: Lesson) -> MixGuard:
    """Fresh human rows only: what ordinary training does."""
    return MixGuard(lesson.human, None, human_fraction=1.0, block_size=len(lesson.human))


def replace(lesson: Lesson) -> MixGuard:
    """What the last generation wrote, and nothing else."""
    return mixed(None, lesson.written[-1:], 0.0)


def accumulate(lesson: Lesson) -> MixGuard:
    """The first human rows and all that was ever written, each row once (arXiv 2404.01413)."""
    parts = len(lesson.written) + 1
    return mixed(lesson.first, lesson.written, Fraction(1, parts), slots=parts * len(lesson.first))


def accumulate_subsample(lesson: Lesson) -> MixGuard:
    """As many rows as a generation writes, in equal parts from all that `accumulate` has."""
    return mixed(lesson.first, lesson.written, Fraction(1, len(lesson.written) + 1))


def mix(human_fraction: float | Fraction) -> Regime:
    """A floor of fresh human rows, and the rest from the last generation."""
    return lambda lesson: mixed(lesson.human, lesson.written[-1:], human_fraction)


def weighted(human_fraction: HumanFraction) -> Regime:
    """All fresh human rows and all of the last generation's, with this weight on the human ones.

    Slots are so many that each row is shown several times, and a share of slots is a weight.
    """
    return lambda lesson: mixed(
        lesson.human,
        lesson.written[-1:],
        human_fraction,
        slots=_SHOWINGS * (len(lesson.human) + lesson.budget),
    )


REGIMES: dict[str, Regime] = {
    "human": human,
    "replace": replace,
    "accumulate": accumulate,
    "accumulate_subsample": accumulate_subsample,
    "mix": mix(0.3),
    "golden": weighted("golden"),
}
"""Every regime, by its name; `mix` has 30% human rows, `golden` the golden-ratio weight."""
