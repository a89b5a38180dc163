"""What makes a mix the one that it is: a state of another is refused by what is different."""

import hashlib
import operator
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from itertools import groupby
from typing import Any

import numpy as np

from collapse_guard.errors import ArgumentError, bad_argument, shown
from collapse_guard.mixing.floor import Stages
from collapse_guard.mixing.strata.boost import RareBoost
from collapse_guard.rows.row_source import RowSource
from collapse_guard.rows.source import Source

_LONGEST = 200
"""Characters of a floor that is written out: a function's has a thousand stages."""

_MOST_NAMED = 5
"""Differences that an error names."""


def identity_of(
    sources: Sequence[Source],
    rows: Sequence[RowSource | Iterable[Any]],
    stages: Stages,
    *,
    generation_decay: Any,
    boost: RareBoost | None = None,
    unit: str = "rows",
    **settings: int | None,
) -> dict[str, Any]:
    """What a state must share with the mix that goes on from it.

    Args:
        sources: As described by the user.
        rows: As opened.
        stages: Of the human floor.
        generation_decay: As of `MixGuard`.
        boost: As of `MixGuard`.
        unit: As of `MixGuard`.
        settings: What else was given, by the arguments' names: whole numbers.

    Returns:
        Plain JSON types, which are the same for equal numbers of any type.

    Example:
        >>> identity = identity_of([], [], ((Fraction(1), Fraction(3, 10)),), generation_decay=1)
        >>> identity["human_fraction"], identity["generation_decay"]
        ('0.3', '1.0')
    """
    return {
        "human_fraction": _told(stages),
        "generation_decay": _number(generation_decay),
        "boost": None if boost is None else _boosted(boost),
        "unit": unit,
        **{name: _whole(value) for name, value in settings.items()},
        "sources": [
            {
                "name": source.name,
                "kind": source.kind,
                "generation": _whole(source.generation),
                "rows": len(own) if isinstance(own, RowSource) else None,
                "weight": _number(source.weight),
                "min_fraction": _number(source.min_fraction),
                "max_fraction": _number(source.max_fraction),
                "max_repeats": _whole(source.max_repeats),
                "when_dry": source.when_dry,
                "quality": _quality(source.quality),
            }
            for source, own in zip(sources, rows, strict=True)
        ],
    }


def differences(saved: Mapping[str, Any], own: Mapping[str, Any]) -> list[str]:
    """What is different between two mixes, for people: none where they are the same.

    Args:
        saved: What a state says of its mix, which may be anything.
        own: As from `identity_of`.

    Example:
        >>> differences({"seed": 0, "block_size": 8}, {"seed": 1, "block_size": 8})
        ['seed: the state has 0, this mix 1']
    """
    theirs, ours = (_names(mix.get("sources")) for mix in (saved, own))
    found = _different({**saved, "sources": theirs}, {**own, "sources": ours})
    if theirs == ours:
        both = zip(saved.get("sources", []), own.get("sources", []), strict=True)
        for name, (their_source, our_source) in zip(ours, both, strict=True):
            found += _different(their_source, our_source, of=f" of source {name!r}")
    return found


def another_mix(argument: str, found: Sequence[str]) -> ArgumentError:
    """What is said where a state is that of another mix.

    Args:
        argument: Which was given.
        found: As from `differences`, at least one.
    """
    more = len(found) - _MOST_NAMED
    named = [*found[:_MOST_NAMED], *([f"and {more} more"] if more > 0 else [])]
    return bad_argument(
        argument,
        expected="one of this mix",
        given="one of another mix",
        hint=f"{'; '.join(named)}: make the mix with the arguments of the run that is resumed, or "
        "begin a run of its own",
    )


def _different(saved: Mapping[str, Any], own: Mapping[str, Any], of: str = "") -> list[str]:
    names = [*own, *(name for name in saved if name not in own)]
    return [
        _difference(f"{name}{of}", saved.get(name), own.get(name))
        for name in names
        if type(saved.get(name)) is not type(own.get(name)) or saved.get(name) != own.get(name)
    ]


def _difference(name: str, saved: object, own: object) -> str:
    return f"{shown(name)[1:-1]}: the state has {_plain(saved)}, this mix {_plain(own)}"


def _plain(value: object) -> str:
    # Numbers stand here as texts, so that those of any type are compared alike.
    is_number = isinstance(value, str) and value[:1].isdigit()
    return shown(value)[1:-1] if is_number else shown(value)


def _names(sources: object) -> list[Any]:
    listed = sources if isinstance(sources, list) else []
    # What is no source has no name, however it reads.
    return [source.get("name") if isinstance(source, Mapping) else [source] for source in listed]


def _told(stages: Stages) -> str:
    """The floor as text: stages that are alike are one."""
    merged = [(share, list(each)[-1][0]) for share, each in groupby(stages, key=lambda s: s[1])]
    if len(merged) == 1:
        return _number(merged[0][0])
    told = ", ".join(f"{_number(share)} until {_number(until)}" for share, until in merged)
    if len(told) <= _LONGEST:
        return told
    return f"{len(merged)} stages {hashlib.sha256(told.encode()).hexdigest()[:16]}"


def _boosted(boost: RareBoost) -> str:
    by = repr(boost.by) if isinstance(boost.by, str) else type(boost.by).__name__
    return f"{_number(boost.times)} by {by} of {boost.column!r} in {boost.num_strata} strata"


def _quality(given: Any) -> str | None:
    if given is None or isinstance(given, str):
        return given
    if callable(given):
        return "a function"
    weights = np.asarray(given, dtype=np.float64)
    return f"{weights.size} numbers {hashlib.sha256(weights.tobytes()).hexdigest()[:16]}"


def _whole(value: Any) -> int | None:
    return None if value is None else operator.index(value)


def _number(value: Any) -> str:
    exact = Fraction(value) if isinstance(value, int | Fraction) else Fraction(repr(float(value)))
    rounded = repr(float(exact))
    return rounded if Fraction(rounded) == exact else str(exact)
