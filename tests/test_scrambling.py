"""Numbers are scrambled as SplitMix64 scrambles them, one for one."""

import numpy as np
from hypothesis import given, strategies as st

from collapse_guard.scrambling import scramble

WORD = (1 << 64) - 1


def finalizer(word: int) -> int:
    """The same on Python's integers, as it is printed in the paper."""
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & WORD
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & WORD
    return word ^ (word >> 31)


@given(st.lists(st.integers(0, WORD), min_size=1))
def test_it_is_the_published_function(words: list[int]) -> None:
    scrambled = scramble(np.array(words, dtype=np.uint64))
    assert scrambled.tolist() == [finalizer(word) for word in words]


def test_one_bit_changes_half_of_the_others() -> None:
    words = np.arange(4096, dtype=np.uint64)
    for bit in range(0, 64, 7):
        changed = scramble(words) ^ scramble(words ^ (np.uint64(1) << np.uint64(bit)))
        flipped = np.unpackbits(changed.view(np.uint8)).reshape(-1, 64).mean(0)
        # A bit that hung on it little would be near 0, or near 1.
        assert abs(flipped - 0.5).max() < 0.1
