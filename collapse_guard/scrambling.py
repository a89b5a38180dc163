"""Numbers turned into others that look random, the same on every machine."""

import numpy as np
import numpy.typing as npt


def scramble(words: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """A bijection of 64-bit words in which every output bit depends on every input bit.

    The finalizer of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014), with the variant-13 constants.

    Args:
        words: uint64 of any shape with at least one dimension (numpy warns where the product of
            two lone scalars wraps around, and wrapping around is the point).

    Returns:
        uint64 of the same shape.
    """
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: npt.NDArray[np.uint64] = words ^ (words >> np.uint64(31))
    return mixed
