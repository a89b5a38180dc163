"""The readings of what a model writes, each with a standard error."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from collapse_guard.diversity import (
    cross_input,
    distinct_n,
    per_input,
    rarefied_types,
    rep_n_diversity,
    self_bleu,
)
from collapse_guard.human_text.panel import HeldOutPanel
from collapse_guard.readings.sampling import Ids, Samples
from collapse_guard.statistics.estimates import Estimate, jackknife, ratio

_OF_TEXTS = {
    "tail_share": "share of tail tokens, over their share in human text (1 = as many)",
    "rarefied_types": "expected distinct types in half as many tokens as are written",
    "distinct_2": "distinct bigrams over bigrams",
    "rep_n_diversity": "product over n = 2..4 of the share of n-grams new in their own text",
    "self_bleu": "mean BLEU-4 of each text against all others",
}
# An error that is told from so many numbers is no surer than of so many texts.
_GROUPS = 20
_STARTS = {"free": "of free-running text", "prompted": "of text after human prompts"}

SAMPLED_READINGS: Mapping[str, str] = MappingProxyType(
    {
        **{
            f"{start}_{name}": f"{meaning}, {where}"
            for start, where in _STARTS.items()
            for name, meaning in _OF_TEXTS.items()
        },
        "per_input_distinct_2": "distinct bigrams over bigrams within the texts of one prompt",
        "cross_input_distinct_2": "distinct bigrams over bigrams among one text of each prompt",
    }
)
"""Every sampled reading, and what it is. All compare at one number and length of texts."""


def make_sampled_readings(samples: Samples, panel: HeldOutPanel) -> dict[str, Estimate]:
    """All readings of what a model wrote.

    Args:
        samples: What it wrote.
        panel: Says which tokens are tail, and what share of human text they make up.

    Returns:
        An estimate of each name in `SAMPLED_READINGS`. Errors are over texts, and over prompts
        where there are any, since texts of one prompt vary together; those are its `units`, or the
        groups of them that were left out to tell the error.
    """
    free = [[text] for text in samples.free]
    prompted = [list(texts) for texts in samples.prompted]
    readings: dict[str, Estimate] = {}
    for start, drawn in (("free", free), ("prompted", prompted)):
        readings[f"{start}_tail_share"] = _estimate(_tail_share(drawn, panel), len(drawn))
        for name, statistic in _statistics(samples.free.shape[1]).items():
            readings[f"{start}_{name}"] = _estimate(
                jackknife(_pooled(statistic), drawn, groups=_GROUPS), min(len(drawn), _GROUPS)
            )
    readings["per_input_distinct_2"] = _estimate(per_input(_distinct_2, prompted), len(prompted))
    readings["cross_input_distinct_2"] = _estimate(
        cross_input(_distinct_2, prompted, groups=_GROUPS), min(len(prompted), _GROUPS)
    )
    return {name: readings[name] for name in SAMPLED_READINGS}


def _estimate(value_and_error: tuple[float, float], units: int) -> Estimate:
    return Estimate(*value_and_error, np.zeros(0), float(units))


Statistic = Callable[[Sequence[Ids]], float]


def _statistics(length: int) -> dict[str, Statistic]:
    return {
        "rarefied_types": lambda texts: rarefied_types(texts, budget=len(texts) * length // 2),
        "distinct_2": _distinct_2,
        "rep_n_diversity": lambda texts: rep_n_diversity(texts, length=length),
        "self_bleu": lambda texts: self_bleu(texts, num_texts=len(texts)),
    }


def _distinct_2(texts: Sequence[Ids]) -> float:
    return distinct_n(texts, 2, budget=sum(map(len, texts)))


def _pooled(statistic: Statistic) -> Callable[[Sequence[list[Ids]]], float]:
    return lambda units: statistic([text for texts in units for text in texts])


def _tail_share(units: Sequence[list[Ids]], panel: HeldOutPanel) -> tuple[float, float]:
    is_tail = panel.reference.tail_types
    # Ids past the tokenizer, which a padded vocabulary lets a model draw, stand for no token.
    known = len(is_tail)
    tail = [sum(int(is_tail[text[text < known]].sum()) for text in texts) for texts in units]
    tokens = [sum(map(len, texts)) for texts in units]
    human = float(panel.tail_positions.sum() / panel.positions.sum())
    written = ratio(np.array(tail, dtype=np.float64), np.array(tokens, dtype=np.float64))
    return written.value / human, written.standard_error / human
