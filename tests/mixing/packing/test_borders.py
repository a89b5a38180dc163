from itertools import pairwise

from hypothesis import given, strategies as st

from collapse_guard.mixing.packing.borders import pack_starts


@given(lengths=st.lists(st.integers(0, 9), min_size=1, max_size=60), most=st.integers(9, 30))
def test_packs_are_rows_in_a_row_and_no_larger_than_they_must(
    lengths: list[int], most: int
) -> None:
    starts = pack_starts(lengths, most).tolist()
    assert starts[0] == 0
    assert starts[-1] == len(lengths)
    packs = [lengths[start:stop] for start, stop in pairwise(starts)]
    assert all(pack for pack in packs)
    assert all(sum(pack) <= most for pack in packs)
    for pack, following in pairwise(packs):
        assert sum(pack) + following[0] > most
    assert all(map(sum, packs)) or not any(lengths)
