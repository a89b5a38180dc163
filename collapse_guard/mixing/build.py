"""The steps from a mixed stream's arguments to its plan, each with its checks."""

import math
from typing import Any

from collapse_guard.errors import bad_argument
from collapse_guard.mixing.allocation import allocate, boost_weights
from collapse_guard.mixing.arguments import whole_number
from collapse_guard.mixing.quota import Quota
from collapse_guard.mixing.rarity import row_rarity
from collapse_guard.mixing.sources import RowSource
from collapse_guard.mixing.strata import Strata
from collapse_guard.mixing.stream import RowStream
from collapse_guard.reference import HumanReference


def slots_per_epoch(length: Any, quota: Quota, *, num_rows: int) -> int:
    """The length asked for, or one slot for each row, as a whole number of blocks.

    Raises:
        ArgumentError: It is no whole number, or too large.
    """
    hint = "give the number of slots of an epoch, or None for one for each row"
    slots = num_rows if length is None else whole_number("length", length, least=1, hint=hint)
    rounded_up = -(-slots // quota.block_size) * quota.block_size
    return whole_number("length", rounded_up, least=1, hint=hint)


def rarity_strata(
    source: RowSource,
    *,
    reference: HumanReference | None,
    column: str,
    num_strata: Any,
    rare_boost: Any,
) -> Strata:
    """The rows of a source, grouped by how rare their contents are.

    Raises:
        ArgumentError: The boost is out of range, or what rarity is read from is missing.
        TokenizerMismatchError: The rows have token ids that `reference` does not know.
    """
    if not isinstance(rare_boost, int | float) or not 1 <= rare_boost < math.inf:
        raise bad_argument(
            "rare_boost",
            expected="a number of at least 1, or None",
            given=rare_boost,
            hint="2.0 shows the rarest rows twice as often as the commonest",
        )
    num_strata = whole_number("num_strata", num_strata, least=2, most=100, hint="give e.g. 10")
    if reference is None:
        raise bad_argument(
            "reference",
            expected="a HumanReference where rare_boost is given",
            given=None,
            hint="build one with HumanReference.from_dataset, or leave out rare_boost",
        )
    return Strata.by_rarity(row_rarity(source, reference, column=column), num_strata)


def check_repeats(
    source: RowSource, *, draws: int, slots: int, block_size: int, max_repeats: int
) -> None:
    """Refuse an epoch that needs a source's rows more often than they may be shown.

    Args:
        source: The rows.
        draws: Slots of an epoch that show one of them.
        slots: Slots of an epoch.
        block_size: Slots of a block.
        max_repeats: Most times that a row may be shown in an epoch.

    Raises:
        ArgumentError: The epoch is too long.
    """
    allowed = len(source) * max_repeats
    if draws <= allowed:
        return
    most = slots * allowed // draws // block_size * block_size
    raise bad_argument(
        "length",
        expected=f"at most {most} slots, so that none of the {len(source)} rows in "
        f"`{source.name}` is shown more than max_repeats={max_repeats} times in an epoch",
        given=slots,
        hint=f"{draws} of these slots are {source.name}; give more {source.name} rows, a smaller "
        "length, another human_fraction or a larger max_repeats",
    )


def row_stream(
    strata: Strata, *, draws: int, rare_boost: float, max_repeats: int, key: tuple[int, int]
) -> RowStream | None:
    """The stream of one source; None where it gets no draws.

    Args:
        strata: The rows, grouped.
        draws: Slots of an epoch that show one of them, at most rows x max_repeats.
        rare_boost: Exposure of the rarest stratum relative to the commonest.
        max_repeats: Most times that a row may be shown in an epoch.
        key: The seed, and a number that tells this source from others of the same seed.
    """
    if draws == 0:
        return None
    sizes = strata.sizes.tolist()
    weights = boost_weights(len(sizes), rare_boost)
    return RowStream(
        strata, allocate(sizes, weights, draws=draws, max_repeats=max_repeats), key=key
    )
