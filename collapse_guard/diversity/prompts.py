"""Diversity per input and across inputs: two figures that a model can lose one without the other.

Kirk et al. 2024 (arXiv 2310.06452): a model that answers every prompt in one way is
poor per input and may still be rich across inputs; one that gives every prompt the same answers is
the other way round.
"""

import math
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from collapse_guard.arguments import listed, understood, whole_number
from collapse_guard.errors import bad_argument
from collapse_guard.statistics.estimates import jackknife

T = TypeVar("T")

_WANTED = {
    "expected": "a function of a list of documents that returns a number",
    "hint": "give such as lambda texts: self_bleu(texts, num_texts=8)",
}


def per_input(
    statistic: Callable[[Sequence[T]], float], samples: Sequence[Sequence[T]]
) -> tuple[float, float]:
    """A statistic of the samples of each prompt, averaged over prompts.

    Args:
        statistic: Of a list of documents, such as `lambda texts: self_bleu(texts, num_texts=8)`.
        samples: The samples of each prompt, the same number of at least 2 for all of them.

    Returns:
        The mean, and its standard error over prompts (NaN for a single prompt).

    Raises:
        ArgumentError: No prompt, or numbers of samples that differ or are below 2.

    Example:
        >>> from collapse_guard.diversity import distinct_n
        >>> samples = [[[1, 2], [1, 2]], [[3, 4], [5, 6]]]
        >>> per_input(lambda texts: distinct_n(texts, 1, budget=4), samples)
        (0.75, 0.25)
    """
    _check_samples(samples, at_least=2)
    with understood("statistic", statistic, **_WANTED):
        values = np.array([float(statistic(list(texts))) for texts in samples])
    if len(values) < 2:
        return float(values.mean()), math.nan
    return float(values.mean()), float(values.std(ddof=1) / math.sqrt(len(values)))


def cross_input(
    statistic: Callable[[Sequence[T]], float], samples: Sequence[Sequence[T]], *, groups: int = 20
) -> tuple[float, float]:
    """A statistic of one sample of every prompt, averaged over the samples.

    Args:
        statistic: Of a list of documents, one per prompt. For the standard error it is also asked
            for the texts without a group of prompts, so it has to take its budget from what it is
            given, or have a budget that all of them hold.
        samples: The samples of each prompt, the same number of at least 1 for all of them; at least
            2 prompts.
        groups: Groups of prompts for the standard error, see `jackknife`.

    Returns:
        The mean, and its standard error over prompts.

    Raises:
        ArgumentError: Fewer than 2 prompts, or numbers of samples that differ or are 0.

    Example:
        >>> from collapse_guard.diversity import distinct_n
        >>> samples = [[[1, 2], [1, 2]], [[3, 4], [5, 6]]]
        >>> cross_input(lambda texts: distinct_n(texts, 1, budget=2 * len(texts)), samples)
        (1.0, 0.0)
    """
    _check_samples(samples, at_least=1)
    if len(samples) < 2:
        raise bad_argument(
            "samples",
            expected="at least 2 prompts",
            given=f"{len(samples)} prompt",
            hint="samples of one prompt have a per-input diversity only",
        )

    def average(prompts: Sequence[Sequence[T]]) -> float:
        with understood("statistic", statistic, **_WANTED):
            return float(np.mean([float(statistic(texts)) for texts in zip(*prompts, strict=True)]))

    groups = whole_number("groups", groups, least=2, hint="20 is usual")
    return jackknife(average, samples, groups=groups)


def _check_samples(samples: Sequence[Sequence[T]], *, at_least: int) -> None:
    hint = "give a list for each prompt, of as many samples"
    wanted = {"expected": "the samples of each prompt", "hint": hint}
    with understood("samples", samples, **wanted):
        count = len(samples)
        each = listed("samples", samples, **wanted)
        sizes = sorted({len(texts) for texts in each})
        is_list = count == len(each)
    if not is_list:
        raise bad_argument("samples", given=samples, **wanted)
    if len(sizes) != 1 or sizes[0] < at_least:
        raise bad_argument(
            "samples",
            expected=f"the same number of at least {at_least} samples for every prompt",
            given=f"numbers of samples {sizes}",
            hint="draw as many for each prompt, because the statistic depends on how many",
        )
