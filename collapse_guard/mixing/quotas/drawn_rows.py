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
    sizes = strata.sizes.tolist()
    weights = strata.weights or [Fraction(1)] * len(sizes)
    # Epochs with as many draws are alike, however their slots are split.
    turns = {d: split_draws(sizes, weights, draws=d, max_repeats=max_repeats) for d in set(draws)}
    return RowOrder(strata, [turns[d] for d in draws], key=key, epochs=epochs[:-1])


def check_boosts(quotas: Sequence[Quota], orders: Sequence[RowOrder]) -> None:
    """Hold what boosts ask for against what the draws leave of it: `check_boosted` says how.

    Args:
        quotas: Of all sources.
        orders: Of their rows.

    Raises:
        ArgumentError: Nothing is left of a boost.
    """
    check_boosted(
        [
            Drawn(quota.name, order.strata, order.turns, quota.max_repeats)
            for quota, order in zip(quotas, orders, strict=True)
        ]
    )
