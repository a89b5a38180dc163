"""The steps from a mixed stream's arguments to its plan, each with its checks."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from collapse_guard.arguments import slots_of_a_block, whole_number
from collapse_guard.mixing.order.plan import MixPlan
from collapse_guard.mixing.order.slots import Slots
from collapse_guard.mixing.quotas.drawn_rows import check_boosts, row_order
from collapse_guard.mixing.quotas.epoch_length import split_epochs
from collapse_guard.mixing.quotas.quota import check_quotas, quotas_of
from collapse_guard.mixing.sources import MixSources
from collapse_guard.mixing.strata.strata import Strata
from collapse_guard.mixing.tokens.build import build_token_plan
from collapse_guard.mixing.tokens.settings import check_unit


def build_plan(
    mixed: MixSources,
    strata: Sequence[Strata],
    *,
    block_size: Any,
    generation_decay: Any,
    max_repeats: Any,
    length: Any,
    epochs: Any,
    seed: Any,
    unit: Any = "rows",
    lengths: Any = None,
) -> MixPlan:
    """The plan of a mixed stream.

    Args:
        mixed: The sources and the human floor.
        strata: The rows of each source.
        block_size: As of `MixGuard`, as are the others.
        generation_decay: As of `MixGuard`.
        max_repeats: As of `MixGuard`.
        length: As of `MixGuard`.
        epochs: As of `MixGuard`.
        seed: As of `MixGuard`.
        unit: As of `MixGuard`.
        lengths: As of `MixGuard`.

    Raises:
        ArgumentError: One of them is out of range, or they cannot work together.
    """
    check_unit(unit, lengths)
    block_size = slots_of_a_block(block_size)
    max_repeats = whole_number("max_repeats", max_repeats, least=1, hint="give e.g. 4")
    epochs = whole_number("epochs", epochs, least=1, hint="give 1 for one pass")
    seed = whole_number("seed", seed, least=0, most=2**64 - 1, hint="give e.g. 0")
    quotas = quotas_of(
        mixed.sources,
        [of_source.num_shown for of_source in strata],
        generation_decay=generation_decay,
        max_repeats=max_repeats,
    )
    check_quotas(quotas, mixed.stages, block_size)
    slots = _slots_per_epoch(length, block_size, num_rows=sum(map(len, mixed.rows)))
    if unit == "tokens":
        return build_token_plan(
            mixed,
            strata,
            quotas,
            lengths=lengths,
            slots=slots,
            block_size=block_size,
            epochs=epochs,
            seed=seed,
        )
    split = split_epochs(quotas, mixed.stages, slots=slots, epochs=epochs, block_size=block_size)
    orders = tuple(
        row_order(
            of_source,
            draws=split.draws[:, number].tolist(),
            epochs=[era.epochs for era in split.eras],
            max_repeats=quota.max_repeats,
            key=(seed, key),
        )
        for number, (of_source, quota, key) in enumerate(
            zip(strata, quotas, mixed.keys, strict=True)
        )
    )
    check_boosts(quotas, orders)
    return MixPlan(
        slots=Slots(split.legs, block_size),
        orders=orders,
        is_human=np.array([quota.is_human for quota in quotas]),
        slots_per_epoch=split.slots,
        epochs=epochs,
    )


def _slots_per_epoch(length: Any, block_size: int, *, num_rows: int) -> int:
    """The length asked for, or one slot for each row, as a whole number of blocks."""
    hint = "give the number of slots of an epoch, or None for one for each row"
    slots = num_rows if length is None else whole_number("length", length, least=1, hint=hint)
    rounded_up = -(-slots // block_size) * block_size
    return whole_number("length", rounded_up, least=1, hint=hint)
