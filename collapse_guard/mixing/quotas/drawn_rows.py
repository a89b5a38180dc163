"""What a source's share of the draws makes of its rows: an order of them."""

from collections.abc import Sequence
from fractions import Fraction

from collapse_guard.mixing.order.row_order import RowOrder
from collapse_guard.mixing.quotas.proportion import split_draws
from collapse_guard.mixing.quotas.quota import Quota
from collapse_guard.mixing.strata.boosted import Drawn, check_boosted
from collapse_guard.mixing.strata.strata import Strata


def row_order(
    strata: Strata,
    *,
    draws: Sequence[int],
    epochs: Sequence[int],
    max_repeats: int,
    key: tuple[int, int],
) -> RowOrder:
    """The order of a source's rows, with the draws of each epoch split among its strata.

    Args:
        strata: The rows.
        draws: Draws of an epoch, for each era.
        epochs: Of each era.
        max_repeats: Most times that a row may be shown in an epoch.
        key: As of `RowOrder`.
    """
    turns = _turns(strata, draws, max_repeats)
    return RowOrder(strata, turns, key=key, epochs=epochs[:-1])


def check_boosts(
    quotas: Sequence[Quota], strata: Sequence[Strata], draws: Sequence[Sequence[int]]
) -> None:
    """Hold what boosts ask for against what the draws leave of it: `check_boosted` says how.

    Args:
        quotas: Of all sources.
        strata: The rows of each.
        draws: Draws of an epoch of each, for each era.

    Raises:
        ArgumentError: Nothing is left of a boost.
    """
    turns = [
        _turns(of_source, some, quota.max_repeats)
        for of_source, some, quota in zip(strata, draws, quotas, strict=True)
    ]
    check_boosted(
        [
            Drawn(quota.name, of_source, [era for era in eras if any(era)], quota.max_repeats)
            for quota, of_source, eras in zip(quotas, strata, turns, strict=True)
        ]
    )


def _turns(strata: Strata, draws: Sequence[int], max_repeats: int) -> list[list[int]]:
    """The draws of each stratum, for each era."""
    sizes = strata.sizes.tolist()
    weights = strata.weights or [Fraction(1)] * len(sizes)
    # Epochs with as many draws are alike, however their slots are split.
    turns = {d: split_draws(sizes, weights, draws=d, max_repeats=max_repeats) for d in set(draws)}
    return [turns[d] for d in draws]
