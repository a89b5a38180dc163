"""What tokens are worth that a model has seen before."""

import math

R_STAR = 15.387756
"""Repetitions after which repeated tokens have given 1 - 1/e of all that they can give: R*_D of
Muennighoff et al. (2023), appendix A."""


def worth(unique: float, shown: float) -> float:
    """As how many fresh tokens so many tokens count, of which some are repeated.

    The law of repeated data of Muennighoff et al. ("Scaling Data-Constrained Language Models",
    2023, arXiv 2305.16264, section 3.1): D tokens, made of U_D different ones that are repeated
    R_D = D / U_D - 1 times, lower the loss as much as

        D' = U_D + U_D R*_D (1 - exp(-R_D / R*_D))

    fresh tokens would. Up to four showings it is nearly the same as fresh text, and no number of
    showings is worth more than 1 + R*_D = 16.4 times the text.

    It was fitted to *pre-training* from nothing, on web text alone, with all of the data repeated
    equally often, for models of up to nine billion parameters. For fine-tuning, and for one part of
    a mix, it is an analogy.

    Args:
        unique: U_D, different tokens that there are, above 0.
        shown: D, tokens to be shown, at least 0. Where there are more than are shown, all of those
            are fresh.

    Returns:
        D', at most `shown`.

    Example:
        >>> worth(100.0, 50.0), round(worth(100.0, 400.0), 1), round(worth(100.0, 1e6), 1)
        (50.0, 372.6, 1638.8)
    """
    if shown <= unique:
        return shown
    repetitions = shown / unique - 1
    return unique * (1 - R_STAR * math.expm1(-repetitions / R_STAR))
