"""What a floor of tokens can be combined with."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Literal

from collapse_guard.arguments import one_of
from collapse_guard.errors import bad_argument
from collapse_guard.mixing.floor import Stages
from collapse_guard.mixing.quotas.quota import Quota

Unit = Literal["rows", "tokens"]

_ROWS = 'leave it out, or count rows with unit="rows"'


def check_unit(unit: Any, lengths: Any) -> None:
    """Refuse a unit that is none, and lengths where rows are counted.

    Raises:
        ArgumentError: Either.
    """
    one_of("rows", "tokens", hint="say what the floor of human rows is a share of")("unit", unit)
    if unit == "rows" and lengths is not None:
        raise bad_argument(
            "lengths",
            expected='None where unit="rows"',
            given=lengths,
            hint='say unit="tokens" for a floor of trained tokens, or leave `lengths` out',
        )


def only_floor(stages: Stages) -> Fraction:
    """The one human floor of a stream that counts tokens.

    Raises:
        ArgumentError: The floor changes on the way.
    """
    floors = {floor for _, floor in stages}
    if len(floors) > 1:
        raise bad_argument(
            "human_fraction",
            expected='one share for the whole stream, where unit="tokens"',
            given=[(float(until), float(floor)) for until, floor in stages],
            hint="make a mixed stream for each stage and train on one after the other, or count "
            'rows with unit="rows"',
        )
    return floors.pop()


def check_token_quotas(quotas: Sequence[Quota]) -> None:
    """Refuse what sources say about slots, where tokens decide who gets them.

    Raises:
        ArgumentError: A source has a least or a largest share of the slots, or one that shortens
            epochs.
    """
    for quota in quotas:
        told = {
            "min_fraction": (float(quota.min_fraction), 0.0),
            "max_fraction": (float(quota.max_fraction), 1.0),
            "when_dry": (quota.when_dry, '"error" or "human"'),
        }
        if quota.when_dry in ("error", "human"):
            del told["when_dry"]
        for argument, (given, usual) in told.items():
            if given != usual:
                raise bad_argument(
                    argument,
                    expected=f'{usual} in source {quota.name!r}, where unit="tokens"',
                    given=given,
                    hint=_ROWS,
                )
