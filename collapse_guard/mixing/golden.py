"""The share of human data that golden-ratio weighting finds best."""

import math
from fractions import Fraction


def golden_fraction(num_human: int, num_synthetic: int) -> Fraction:
    """w* = (sqrt(k^2 + 4k) - k) / 2, with k human rows to each synthetic one.

    From "Golden Ratio Weighting Prevents Model Collapse" (He, Xu and Cheng, arXiv 2502.18049). A
    chain of models, each fitted to n fresh human samples of weight w and m samples of its
    predecessor of weight 1 - w, settles at a variance in proportion to
    (w^2 / n + (1 - w)^2 / m) / (1 - (1 - w)^2): human samples bring noise, synthetic ones the
    noise of all models before too. It is least where w^2 = k (1 - w). At k = 1 that is 0.618, the
    reciprocal of the golden ratio; the fewer human rows there are, the smaller it is, though never
    below their share among all rows.

    What that takes for granted, and a language model may not do:

    * the chain is long, and every generation has *fresh* human rows, as many as the last, beside
      rows of the last generation only (not of all before);
    * the model has the right form and many samples, and is fitted to a weighted sum of losses:
      it is proved for Gaussian estimation, generalized linear models and smoothing, not for
      networks;
    * what counts is the expected squared error at the end, not what happens to the tail.

    A weight in the loss and a share of the rows shown are the same on average, with noise of its
    own where human rows must be repeated.

    Args:
        num_human: Human rows, at least 1.
        num_synthetic: Synthetic rows, at least 1.

    Returns:
        To 12 decimals.

    Example:
        >>> float(golden_fraction(1000, 1000)), float(golden_fraction(100, 1000))
        (0.61803398875, 0.270156211872)
    """
    k = num_human / num_synthetic
    # The difference of two nearly equal numbers, written so that no digit is lost for large k.
    weight = 2 / (1 + math.sqrt(1 + 4 / k))
    return Fraction(str(round(weight, 12)))
