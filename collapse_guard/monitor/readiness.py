"""From when on a run can be told to lose anything."""

import math

import numpy as np

from collapse_guard.readings.evidence import Evidence
from collapse_guard.readings.panel import Panel


def knows_language(evidence: Evidence) -> bool:
    """Whether a model is better on its panel than the frequencies of tokens alone.

    One that has not learned anything yet spreads its probability evenly, which gives rare tokens
    more of it than any trained model should: on the way to the frequencies it must lose them
    (against a uniform model over 2,048 types they keep 0.27 of it).

    Args:
        evidence: Of a look at the whole panel.

    Returns:
        True as well for panels that are of no human reference.
    """
    nll = -float(evidence.whole.logprob.sum()) / float(evidence.panel.position_counts["all"].sum())
    return not nll > unigram_nll(evidence.panel)


def unigram_nll(panel: Panel) -> float:
    """Nats per token of the panel under the frequencies of its human reference.

    Returns:
        NaN for panels that are of none.
    """
    reference = getattr(panel, "reference", None)
    if reference is None:
        return math.nan
    at = panel.positions.numpy()
    bits = reference.self_information[panel.input_ids.numpy()[at]]
    return float(np.mean(bits)) * math.log(2)
