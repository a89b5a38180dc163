"""Readings of what a model writes, each with a standard error.

All compare at one number and length of texts. Errors are over texts, and over prompts where there
are any, since texts of one prompt vary together; those are an estimate's `units`, or the groups of
them that were left out to tell the error.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from collapse_guard.diversity import (
    cross_input,
    distinct_n,
    per_input,
    rarefied_types,
    rep_n_diversity,
    self_bleu,
)
from collapse_guard.readings.evidence import Evidence
from collapse_guard.readings.panel import Panel, counted_types
from collapse_guard.readings.sampling import Ids
from collapse_guard.spacing import evenly_spaced
from collapse_guard.statistics.estimates import (
    Estimate,
    difference,
    exponential,
    jackknife,
    logarithm,
    share,
)

Units = Sequence[Sequence[Ids]]
Begin = Literal["free", "prompted"]

# An error that is told from so many numbers is no surer than of so many texts.
_GROUPS = 20


@dataclass(frozen=True, eq=False)
class Texts:
    """What was written in one way.

    Attributes:
        units: What was drawn at random: a text each, or the texts of one prompt, all of one length.
        panel: Says which tokens are tail, and what share of human text they make up.
    """

    units: Units
    panel: Panel

    @property
    def length(self) -> int:
        """Tokens of each text."""
        return len(self.units[0][0])


@dataclass(frozen=True)
class OfTexts:
    """A reading of written text.

    Attributes:
        statistic: From texts to an estimate.
        begin: "free" for texts that are written from nothing, "prompted" for those after human
            prompts.
    """

    statistic: Callable[[Texts], Estimate]
    begin: Begin = "free"

    def __call__(self, evidence: Evidence) -> Estimate:
        """What it reads."""
        written = evidence.written
        units = [[text] for text in written.free] if self.begin == "free" else written.prompts
        return self.statistic(Texts(units, evidence.panel))


@dataclass(frozen=True)
class AgainstHuman:
    """A reading of free-running text over the same of as much human text.

    Attributes:
        statistic: From texts to an estimate above 0.
    """

    statistic: Callable[[Texts], Estimate]

    def __call__(self, evidence: Evidence) -> Estimate:
        """What it reads."""
        written = evidence.written.free
        human = human_texts(evidence.panel, *written.shape)
        count, length = human.shape
        ours, theirs = (
            self.statistic(Texts([[text] for text in texts], evidence.panel))
            for texts in (written[:count, :length], human)
        )
        return exponential(difference(logarithm(ours), logarithm(theirs)))


def human_texts(panel: Panel, count: int, length: int) -> Ids:
    """Texts of people, all of one length, as many and as long as asked for where there are such.

    Args:
        panel: Whose windows they are from, spread evenly over its documents.
        count: The most texts.
        length: The most tokens of each; half of the windows are as long as what is given.

    Returns:
        int64 of shape (texts, tokens).
    """
    tokens = panel.positions.sum(1).numpy()
    length = min(length, int(np.median(tokens)))
    long = np.flatnonzero(tokens >= length)
    chosen = long[evenly_spaced(min(count, len(long)), len(long))]
    texts = [panel.input_ids[each][panel.positions[each]][:length].numpy() for each in chosen]
    return np.stack(texts)


def tail_share(texts: Texts) -> Estimate:
    """Share of tail tokens, over their share in human text.

    The end of a text, and whatever else stands for no human text, is no token of either.
    """
    panel, units = texts.panel, texts.units
    # Ids past the tokenizer, which a padded vocabulary lets a model draw, stand for no token.
    known = panel.vocab_size
    tail, tokens = (
        np.array(
            [sum(int(is_one[text[text < known]].sum()) for text in unit) for unit in units],
            dtype=np.float64,
        )
        for is_one in (panel.tail_types, counted_types(panel))
    )
    human = float(panel.tail_positions.sum() / panel.positions.sum())
    written = share(tail, tokens)
    return _estimate((written.value / human, written.standard_error / human), len(units))


def half_rarefied_types(texts: Texts) -> Estimate:
    """Expected distinct types in half as many tokens as are written."""
    length = texts.length
    return _jackknifed(
        lambda some: rarefied_types(some, budget=len(some) * length // 2), texts.units
    )


def distinct_2(texts: Texts) -> Estimate:
    """Distinct bigrams over bigrams."""
    return _jackknifed(_distinct_2, texts.units)


def rep_n(texts: Texts) -> Estimate:
    """Product over n = 2..4 of the share of n-grams that are new in their own text."""
    length = texts.length
    return _jackknifed(lambda some: rep_n_diversity(some, length=length), texts.units)


def bleu_among_texts(texts: Texts) -> Estimate:
    """Mean BLEU-4 of each text against all others."""
    return _jackknifed(lambda some: self_bleu(some, num_texts=len(some)), texts.units)


def distinct_2_per_input(evidence: Evidence) -> Estimate:
    """Distinct bigrams over bigrams within the texts of one prompt."""
    prompts = evidence.written.prompts
    return _estimate(per_input(_distinct_2, prompts), len(prompts))


def distinct_2_across_inputs(evidence: Evidence) -> Estimate:
    """Distinct bigrams over bigrams among one text of each prompt."""
    prompts = evidence.written.prompts
    value_and_error = cross_input(_distinct_2, prompts, groups=_GROUPS)
    return _estimate(value_and_error, min(len(prompts), _GROUPS))


def _distinct_2(texts: Sequence[Ids]) -> float:
    return distinct_n(texts, 2, budget=sum(map(len, texts)))


def _jackknifed(statistic: Callable[[Sequence[Ids]], float], units: Units) -> Estimate:
    def pooled(some: Units) -> float:
        return statistic([text for texts in some for text in texts])

    return _estimate(jackknife(pooled, units, groups=_GROUPS), min(len(units), _GROUPS))


def _estimate(value_and_error: tuple[float, float], units: int) -> Estimate:
    return Estimate(*value_and_error, np.zeros(0), float(units))
