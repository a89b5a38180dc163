"""What is left of a boost once `max_repeats` has had its say, and whether that is anything."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from collapse_guard.errors import bad_argument
from collapse_guard.mixing.strata.strata import Strata

logger = logging.getLogger("collapse_guard")


@dataclass(frozen=True)
class Boosted:
    """How many times as often as its commonest rows the rarest rows of a source are shown.

    Attributes:
        asked: What the boost asks for, above 0: `RareBoost.times` where the source has rows of the
            rarest and of the commonest stratum and no quality, else the ratio between those that it
            has, times that of their mean qualities.
        shown: What was shown; None where the commonest have not been shown at all.
    """

    asked: float
    shown: float | None

    def __str__(self) -> str:
        if self.shown is None:
            return f"the commonest rows not shown at all, {self.asked:.2f} times asked for"
        return (
            f"the rarest rows shown {self.shown:.2f} times as often as the commonest, "
            f"{self.asked:.2f} asked for"
        )


@dataclass(frozen=True)
class Drawn:
    """What an epoch asks of the rows of one source.

    Attributes:
        name: Of the source.
        strata: Its rows.
        turns: Draws of each stratum, for each era that asks for any.
        max_repeats: Most times that a row may be shown in an epoch.
    """

    name: str
    strata: Strata
    turns: Sequence[Sequence[int]]
    max_repeats: int


def boosted(strata: Strata, draws: Sequence[int]) -> Boosted | None:
    """The ratio between the rarest rows of a source and its commonest, as asked for and as shown.

    Args:
        strata: The rows of the source.
        draws: Showings of each stratum.

    Returns:
        None where no boost was asked for, or all rows that are shown are equally rare.

    Example:
        >>> boosted(Strata.unranked(3), [6]) is None
        True
    """
    ends = _ends(strata)
    if ends is None:
        return None
    (commonest, rarest), weights = ends, strata.weights or ()
    sizes: list[int] = strata.sizes.tolist()

    def mean(amounts: Sequence[Fraction | int], group: slice) -> Fraction:
        return Fraction(sum(amounts[group])) / sum(sizes[group])

    wanted = [weight * size for weight, size in zip(weights, sizes, strict=True)]
    shown = mean(draws, commonest)
    return Boosted(
        asked=float(mean(wanted, rarest) / mean(wanted, commonest)),
        shown=float(mean(draws, rarest) / shown) if shown else None,
    )


def check_boosted(sources: Sequence[Drawn]) -> None:
    """Refuse a boost of which nothing is left, and say in the log where a cap leaves less of it.

    That a cap leaves less of what the quality of rows asks for is said in the log too.

    Args:
        sources: All of them; only human ones are boosted.

    Raises:
        ArgumentError: No source has rows of different rarity, or all are shown `max_repeats` times.
    """
    _check_something_left([s for s in sources if s.turns and s.strata.boosts is not None])
    for source in sources:
        if not source.turns or source.strata.weights is None:
            continue
        needed = _needed(source)
        if needed > source.max_repeats:
            logger.warning(
                "%s in %s: no row is shown more than max_repeats=%d times in an epoch. Give at "
                "least %d, or a shorter epoch.",
                _cut_short(source),
                source.name,
                source.max_repeats,
                needed,
            )


def _check_something_left(boosted_sources: Sequence[Drawn]) -> None:
    boosts = {boost for source in boosted_sources for boost in source.strata.boosts or ()}
    if len(boosts) < 2:
        return
    mixed = [source for source in boosted_sources if _ends(source.strata) is not None]
    if not mixed:
        names = ", ".join(source.name for source in boosted_sources)
        raise bad_argument(
            "boost",
            expected="a human source with rows of different rarity, since how often a source is "
            "shown as a whole is for its weight to say",
            given=f"rows of one rarity in each of {names}",
            hint="give all human rows as one source, or leave out the boost and set weights",
        )
    if all(_at_cap(source, turns) for source in mixed for turns in source.turns):
        source = mixed[0]
        raise bad_argument(
            "max_repeats",
            expected=f"at least {max(map(_needed, mixed))}, so that rare rows can be shown as "
            "much more often as was asked for",
            given=source.max_repeats,
            hint=f"raise it, shorten the epoch, which shows every row of {source.name} that often, "
            "or leave out the boost",
        )


def _cut_short(source: Drawn) -> str:
    of_eras = [each for each in (boosted(source.strata, t) for t in source.turns) if each]
    if not of_eras:
        return "rows of high quality are shown less often than it asks for"
    left = min(of_eras, key=lambda each: each.shown or 0)
    return f"the boost of rare rows is cut short ({left})"


def _ends(strata: Strata) -> tuple[slice, slice] | None:
    """The strata of the commonest and the rarest rows that are shown, None where they are one."""
    if strata.weights is None or len(set(strata.boosts or ())) < 2:
        return None
    levels = strata.num_levels
    groups = [slice(start, start + levels) for start in range(0, len(strata.sizes), levels)]
    shown = [
        group
        for group in groups
        if any(n and w for n, w in zip(strata.sizes[group], strata.weights[group], strict=True))
    ]
    return (shown[0], shown[-1]) if len(shown) > 1 else None


def _at_cap(source: Drawn, turns: Sequence[int]) -> bool:
    return sum(turns) == source.strata.num_shown * source.max_repeats


def _needed(source: Drawn) -> int:
    """The least `max_repeats` that cuts nothing off."""
    sizes: list[int] = source.strata.sizes.tolist()
    weights = source.strata.weights or ()
    mass = sum(size * weight for size, weight in zip(sizes, weights, strict=True))
    most = max(weight for size, weight in zip(sizes, weights, strict=True) if size)
    return max(ceil(sum(turns) * most / mass) for turns in source.turns)
