"""The steps from a mixed stream's arguments to its plan, each with its checks."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from collapse_guard.arguments import slots_of_a_block, whole_number
from collapse_guard.mixing.order.plan import MixPlan
from collapse_guard.mixing.order.row_order import RowStream
from collapse_guard.mixing.order.slots import SlotShares
from collapse_guard.mixing.quotas.allocation import allocate
from collapse_guard.mixing.quotas.epoch_length import share_epochs
from collapse_guard.mixing.quotas.quota import Claim, age_discounts, check_fractions
from collapse_guard.mixing.sources import GatheredSources
from collapse_guard.mixing.strata.strata import Strata


def build_plan(
    gathered: GatheredSources,
    strata: Sequence[Strata],
    *,
    block_size: Any,
    generation_decay: Any,
    max_repeats: Any,
    length: Any,
    epochs: Any,
    seed: Any,
) -> MixPlan:
    """The plan of a mixed stream.

    Args:
        gathered: The sources and the human floor.
        strata: The rows of each source.
        block_size: As of `MixGuard`, as are the others.
        generation_decay: As of `MixGuard`.
        max_repeats: As of `MixGuard`.
        length: As of `MixGuard`.
        epochs: As of `MixGuard`.
        seed: As of `MixGuard`.

    Raises:
        ArgumentError: One of them is out of range, or they cannot work together.
    """
    block_size = slots_of_a_block(block_size)
    max_repeats = whole_number("max_repeats", max_repeats, least=1, hint="give e.g. 4")
    epochs = whole_number("epochs", epochs, least=1, hint="give 1 for one pass")
    seed = whole_number("seed", seed, least=0, most=2**64 - 1, hint="give e.g. 0")
    claims = _claims(gathered, strata, decay=generation_decay, max_repeats=max_repeats)
    check_fractions(claims, gathered.stages, block_size)
    slots = _slots_per_epoch(length, block_size, num_rows=sum(map(len, gathered.rows)))
    shared = share_epochs(
        claims, gathered.stages, slots=slots, epochs=epochs, block_size=block_size
    )
    return MixPlan(
        shares=SlotShares(shared.legs, block_size),
        streams=tuple(
            _row_stream(
                of_source,
                draws=shared.draws[:, number].tolist(),
                epochs=[run.epochs for run in shared.runs],
                max_repeats=claim.max_repeats,
                key=(seed, key),
            )
            for number, (of_source, claim, key) in enumerate(
                zip(strata, claims, gathered.keys, strict=True)
            )
        ),
        is_human=np.array([claim.is_human for claim in claims]),
        slots_per_epoch=shared.slots,
        epochs=epochs,
    )


def _claims(
    gathered: GatheredSources, strata: Sequence[Strata], *, decay: Any, max_repeats: int
) -> list[Claim]:
    discounts = age_discounts(gathered.sources, decay)
    return [
        Claim.of(source, discount=discount, rows=of_source.num_shown, max_repeats=max_repeats)
        for source, of_source, discount in zip(gathered.sources, strata, discounts, strict=True)
    ]


def _slots_per_epoch(length: Any, block_size: int, *, num_rows: int) -> int:
    """The length asked for, or one slot for each row, as a whole number of blocks."""
    hint = "give the number of slots of an epoch, or None for one for each row"
    slots = num_rows if length is None else whole_number("length", length, least=1, hint=hint)
    rounded_up = -(-slots // block_size) * block_size
    return whole_number("length", rounded_up, least=1, hint=hint)


def _row_stream(
    strata: Strata,
    *,
    draws: Sequence[int],
    epochs: Sequence[int],
    max_repeats: int,
    key: tuple[int, int],
) -> RowStream:
    sizes = strata.sizes.tolist()
    weights = strata.weights or [Fraction(1)] * len(sizes)
    # Epochs with as many draws are alike, however their slots are shared out.
    turns = {d: allocate(sizes, weights, draws=d, max_repeats=max_repeats) for d in set(draws)}
    return RowStream(strata, [turns[d] for d in draws], key=key, epochs=epochs[:-1])
