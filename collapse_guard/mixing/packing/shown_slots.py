"""How far a run has read a mixed stream, where it has read packs of it."""

from dataclasses import replace

from collapse_guard.mixing.packing.packed_mix import PackedMix
from collapse_guard.mixing.reports.ledger import Shown


def in_slots(packed: PackedMix, shown: Shown) -> Shown:
    """The same in slots of the mixed stream.

    Args:
        packed: The packs.
        shown: How far the run has read them, counted in packs.
    """
    per_pass = shown.slots_per_pass
    return replace(
        shown,
        slots=packed.slots_before(shown.slots),
        slots_per_pass=None if per_pass is None else packed.slots_before(per_pass),
        filled_up=packed.slots_before(shown.filled_up),
    )
