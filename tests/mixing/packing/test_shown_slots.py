from collapse_guard import MixGuard
from collapse_guard.mixing.packing.packed_mix import PackedMix
from collapse_guard.mixing.packing.shown_slots import in_slots
from collapse_guard.mixing.reports.ledger import Shown


def test_packs_are_counted_in_the_rows_that_they_hold() -> None:
    rows = [{"input_ids": [5] * length} for length in (3, 5, 2, 6, 1, 7)]
    packed = PackedMix(MixGuard(rows, rows, human_fraction=0.5, block_size=2), 9)
    sizes = [len(packed[pack]["seq_lengths"]) for pack in range(len(packed))]
    told = in_slots(packed, Shown(2, 3, len(packed), filled_up=1, times_filled_up=2))
    assert told == Shown(2, sum(sizes[:3]), len(packed.guard), sizes[0], 2)
    assert in_slots(packed, Shown(0, 0)) == Shown(0, 0)
