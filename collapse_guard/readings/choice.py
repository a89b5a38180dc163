"""Which readings a monitor takes, out of what its user asks for."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import EllipsisType, MappingProxyType
from typing import Any

from collapse_guard.errors import bad_argument
from collapse_guard.readings.kind import Needs, ReadingKind
from collapse_guard.readings.registry import READINGS

Wanted = Sequence[str | ReadingKind | EllipsisType]
"""Names of the package's readings and readings of the user's; `...` stands for all of the
package's that can be had."""

HOW_TO_GIVE: Mapping[Needs, str] = MappingProxyType(
    {
        "against_base": "against_base=True to compare with the model without its adapters",
        "control": "control=path to compare with the track of a control run",
        "prequential": "prequential=PrequentialReader(mix, reference) to read along",
        "sampling": "sampling=Sampling() to let the model write",
    }
)
"""What a reading needs, as it is written, and what for."""


def choose_readings(
    wanted: Wanted, given: Iterable[Needs], *, of_types: bool = True
) -> tuple[ReadingKind, ...]:
    """The readings that a monitor takes.

    Args:
        wanted: What the user asks for.
        given: Arguments of the monitor that readings may need, as far as they are given.
        of_types: Whether there is a distribution over types.

    Raises:
        ArgumentError: There is no such reading, it cannot be had, or two share a name.
    """
    at_hand = {None, *given}
    chosen: list[ReadingKind] = []
    for each in _listed(wanted):
        if each is ...:
            chosen.extend(
                kind
                for kind in READINGS.values()
                if kind.needs in at_hand and (of_types or not kind.of_types)
            )
        else:
            if not of_types:
                refuse_of_types("readings", each)
            chosen.append(_checked(each, at_hand))
    names = [kind.name for kind in chosen]
    repeated = [name for name in names if names.count(name) > 1]
    if repeated or not names:
        raise bad_argument(
            "readings",
            expected="at least one reading, each with a name of its own",
            given=repeated[:1] or wanted,
            hint="rename yours, or leave one of the two out",
        )
    return tuple(chosen)


def refuse_of_types(argument: str, reading: object) -> None:
    """Refuse what a panel that scores itself cannot give.

    Args:
        argument: Where the reading is asked for.
        reading: A reading of the user's, the name of one of the package's, or anything else.

    Raises:
        ArgumentError: It is of a distribution over types, or of what is drawn from it.
    """
    kind = READINGS.get(reading) if isinstance(reading, str) else reading
    if isinstance(kind, ReadingKind) and kind.of_types:
        raise bad_argument(
            argument,
            expected="readings of log-probabilities alone, since the panel scores itself",
            given=kind.name,
            hint="leave it out: it is of a distribution over types, or of what is drawn from it",
        )


def _listed(wanted: object) -> Sequence[Any]:
    if isinstance(wanted, str) or not isinstance(wanted, Sequence):
        raise bad_argument(
            "readings",
            expected="a list of readings",
            given=wanted,
            hint="[...] is the default; [..., mine] adds one of yours",
        )
    return wanted


def _checked(each: object, at_hand: set[Needs | None]) -> ReadingKind:
    kind = READINGS.get(each) if isinstance(each, str) else each
    if not isinstance(kind, ReadingKind):
        raise bad_argument(
            "readings",
            expected=f"..., a ReadingKind of yours, or names among {list(READINGS)}",
            given=each,
            hint="[..., mine] adds a reading of yours to those that are taken anyway",
        )
    if kind.needs is not None and kind.needs not in at_hand:
        raise bad_argument(
            "readings",
            expected=f"readings that can be had without `{kind.needs}`",
            given=kind.name,
            hint=f"give {HOW_TO_GIVE[kind.needs]}",
        )
    # The package vouches for its own alone.
    return kind if isinstance(each, str) else replace(kind, agrees=False)
