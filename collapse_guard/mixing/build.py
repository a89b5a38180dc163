"""The steps from a mixed stream's arguments to its plan, each with its checks."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from collapse_guard.arguments import slots_of_a_block, whole_number
from collapse_guard.mixing.order.plan import MixPlan
from collapse_guard.mixing.order.row_order import RowOrder
from collapse_guard.mixing.order.slots import Slots
from collapse_guard.mixing.quotas.epoch_length import split_epochs
from collapse_guard.mixing.quotas.proportion import split_draws
from collapse_guard.mixing.quotas.quota import check_quotas, quotas_of
from collapse_guard.mixing.sources import MixSources
from collapse_guard.mixing.strata.boosted import Drawn, check_boosted
from collapse_guard.mixing.strata.strata import Strata


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

    Raises:
        ArgumentError: One of them is out of range, or they cannot work together.
    """
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
    split = split_epochs(quotas, mixed.stages, slots=slots, epochs=epochs, block_size=block_size)
    turns = [
        _turns(of_source, draws=split.draws[:, number].tolist(), max_repeats=quota.max_repeats)
        for number, (of_source, quota) in enumerate(zip(strata, quotas, strict=True))
    ]
    check_boosted(
        [
            Drawn(quota.name, of_source, [era for era in eras if any(era)], quota.max_repeats)
            for quota, of_source, eras in zip(quotas, strata, turns, strict=True)
        ]
    )
    epochs_of_eras = [era.epochs for era in split.eras]
    return MixPlan(
        slots=Slots(split.legs, block_size),
        orders=tuple(
            RowOrder(of_source, eras, key=(seed, key), epochs=epochs_of_eras[:-1])
            for of_source, eras, key in zip(strata, turns, mixed.keys, strict=True)
        ),
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


def _turns(strata: Strata, *, draws: Sequence[int], max_repeats: int) -> list[list[int]]:
    """The draws of each stratum, for each era."""
    sizes = strata.sizes.tolist()
    weights = strata.weights or [Fraction(1)] * len(sizes)
    # Epochs with as many draws are alike, however their slots are split.
    turns = {d: split_draws(sizes, weights, draws=d, max_repeats=max_repeats) for d in set(draws)}
    return [turns[d] for d in draws]
