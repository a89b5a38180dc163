"""The mixed stream once more, slot by slot in plain Python: slow, and written to be read."""

import math
from collections.abc import Iterator
from fractions import Fraction

_WORD = 2**64 - 1
_GOLDEN = 0x9E3779B97F4A7C15


def human_slots(fraction: Fraction, block_size: int) -> Iterator[bool]:
    """Pay q / G of a human row into an account at each slot; show one when it is full."""
    per_block = math.ceil(fraction * block_size)
    account = 0
    while True:
        account += per_block
        human = account >= block_size
        account -= block_size * human
        yield human


def scramble(word: int) -> int:
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & _WORD
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & _WORD
    return word ^ (word >> 31)


def permute(place: int, size: int, key: int) -> int:
    height = math.isqrt(size - 1) + 1
    width = -(-size // height)
    element = place
    while True:
        row, column = divmod(element, width)
        for turn in range(1, 7):
            if turn % 2:
                row = (row + (scramble((column + key + turn * _GOLDEN) & _WORD) >> 32)) % height
            else:
                column = (column + (scramble((row + key + turn * _GOLDEN) & _WORD) >> 32)) % width
        element = row * width + column
        if element < size:
            return element


def interleave(shares: list[int]) -> list[int]:
    """The strata of a whole epoch: the order of each half of a balanced tree, merged evenly."""
    width = 1 << (len(shares) - 1).bit_length()
    orders = [[s] * share for s, share in enumerate(shares + [0] * (width - len(shares)))]
    while len(orders) > 1:
        orders = [_merge(orders[i], orders[i + 1]) for i in range(0, len(orders), 2)]
    return orders[0]


def _merge(left: list[int], right: list[int]) -> list[int]:
    lefts, rights, merged, account = iter(left), iter(right), [], 0
    whole = len(left) + len(right)
    for _ in range(whole):
        account += len(right)
        goes_right = account >= whole
        account -= whole * goes_right
        merged.append(next(rights if goes_right else lefts))
    return merged
