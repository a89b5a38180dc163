"""Every reading that the package takes, in one table: what it is, and how it is taken."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any, Literal

from collapse_guard.readings import sampled, teacher_forced
from collapse_guard.readings.kind import Cost, Needs, ReadingKind
from collapse_guard.readings.prequential import OfTrainingPasses
from collapse_guard.readings.read_along import READ_ALONG
from collapse_guard.readings.sampled import AgainstHuman, Begin, OfTexts
from collapse_guard.readings.teacher_forced import OfBands

_of_panel = partial(ReadingKind, start="above 0", agrees=True)
_of_bands = partial(_of_panel, cost="each look")
_of_text = partial(
    ReadingKind, start="above 0", cost="writes text", needs="sampling", of_types=True
)

_ON_HUMAN_TEXT = (
    _of_panel(
        "perplexity",
        "exp of the mean NLL over all positions",
        teacher_forced.perplexity,
        unit="types",
        bad="high",
        on_log_scale=True,
    ),
    _of_bands(
        "tail_logprob",
        "mean log-probability of the tail tokens, in nats",
        OfBands(teacher_forced.mean_tail_logprob),
        unit="nats",
        start="below 0",
    ),
    _of_bands(
        "head_logprob",
        "mean log-probability of the head tokens, in nats",
        OfBands(teacher_forced.mean_head_logprob),
        unit="nats",
        start="below 0",
    ),
    _of_bands(
        "tail_prob",
        "mean probability of the tail tokens",
        OfBands(teacher_forced.mean_tail_prob),
        on_log_scale=True,
    ),
    _of_bands(
        "tail_retention",
        "geometric share of the start's tail probability that is left (1 = all)",
        OfBands(teacher_forced.tail_gain, against="start", is_logarithm=True),
        on_log_scale=True,
        logs_error=True,
    ),
    _of_bands(
        "head_retention",
        "geometric share of the start's head probability that is left (1 = all)",
        OfBands(teacher_forced.head_gain, against="start", is_logarithm=True),
        on_log_scale=True,
        logs_error=True,
    ),
    _of_bands(
        "tail_gap",
        "log head_retention - log tail_retention: what the tail lost beyond the head",
        OfBands(teacher_forced.tail_gap, against="start"),
        unit="nats",
        bad="high",
        start="at 0",
        logs_error=True,
    ),
    _of_panel(
        "tail_mass_ratio",
        "mass put on tail types over their share of the text (1 = calibrated)",
        teacher_forced.tail_mass_ratio,
        on_log_scale=True,
        of_types=True,
    ),
    _of_panel(
        "effective_vocabulary",
        "exp of the entropy of the average predicted distribution",
        teacher_forced.effective_vocabulary,
        unit="types",
        on_log_scale=True,
        of_types=True,
    ),
    _of_panel(
        "predictive_entropy",
        "mean entropy of the predicted distributions, in nats",
        teacher_forced.predictive_entropy,
        unit="nats",
        of_types=True,
    ),
)

_BEGINNINGS: tuple[tuple[Begin, str], ...] = (
    ("free", "of free-running text"),
    ("prompted", "of text after human prompts"),
)

_OF_TEXTS: tuple[tuple[str, str, Any, dict[str, Any]], ...] = (
    (
        "tail_share",
        "share of tail tokens, over their share in human text (1 = as many)",
        sampled.tail_share,
        {},
    ),
    (
        "rarefied_types",
        "expected distinct types in half as many tokens as are written",
        sampled.half_rarefied_types,
        {"unit": "types"},
    ),
    ("distinct_2", "distinct bigrams over bigrams", sampled.distinct_2, {}),
    (
        "rep_n_diversity",
        "product over n = 2..4 of the share of n-grams new in their own text",
        sampled.rep_n,
        {},
    ),
    (
        "self_bleu",
        "mean BLEU-4 of each text against all others",
        sampled.bleu_among_texts,
        {"bad": "high"},
    ),
)

_OF_WRITTEN_TEXT = (
    *(
        _of_text(f"{begin}_{name}", f"{meaning}, {where}", OfTexts(statistic, begin), **judged)
        for begin, where in _BEGINNINGS
        for name, meaning, statistic, judged in _OF_TEXTS
    ),
    *(
        _of_text(
            f"free_{name}_vs_human",
            f"{meaning}, of free-running text over that of as much human text (1 = as varied)",
            AgainstHuman(statistic),
        )
        for name, meaning, statistic, _ in _OF_TEXTS
        if name in ("distinct_2", "rep_n_diversity")
    ),
    _of_text(
        "per_input_distinct_2",
        "distinct bigrams over bigrams within the texts of one prompt",
        sampled.distinct_2_per_input,
    ),
    _of_text(
        "cross_input_distinct_2",
        "distinct bigrams over bigrams among one text of each prompt",
        sampled.distinct_2_across_inputs,
    ),
)


def _against(
    kind: ReadingKind, other: Literal["base", "control"], what: str, needs: Needs, cost: Cost
) -> ReadingKind:
    return replace(
        kind,
        name=f"{kind.name}_vs_{other}",
        meaning=f"{kind.meaning}, against {what}",
        take=replace(kind.take, against=other) if isinstance(kind.take, OfBands) else kind.take,
        cost=cost,
        start="none",
        needs=needs,
        logs_error=False,
    )


def _against_base(kind: ReadingKind) -> ReadingKind:
    return _against(kind, "base", "the model without its adapters", "against_base", kind.cost)


def _against_control(kind: ReadingKind) -> ReadingKind:
    # At a look at a part the control run has moved on too, on the same windows.
    return _against(kind, "control", "the control run at the same step", "control", "whole panel")


def _read_along(kind: ReadingKind) -> ReadingKind:
    return replace(
        kind,
        name=f"{kind.name}_prequential",
        meaning=f"{kind.meaning}, of human rows before the model learns from them",
        take=OfTrainingPasses(f"{kind.name}_prequential"),
        on_log_scale=False,
        cost="each look",
        start="none",
        needs="prequential",
        logs_error=False,
    )


READINGS: Mapping[str, ReadingKind] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            *_ON_HUMAN_TEXT,
            *(_against_base(kind) for kind in _ON_HUMAN_TEXT if kind.logs_error),
            *(_against_control(kind) for kind in _ON_HUMAN_TEXT if kind.logs_error),
            *(_read_along(kind) for kind in _ON_HUMAN_TEXT if kind.name in READ_ALONG),
            *_OF_WRITTEN_TEXT,
        )
    }
)
"""Every reading of the package, by name."""


def reading_names(*, needs: Needs | None = None, cost: Cost | None = None) -> tuple[str, ...]:
    """Names of the package's readings that need one argument of the monitor, or none.

    Args:
        needs: The argument; None for those that every monitor takes.
        cost: Of these, those of one cost alone; None for all.

    Example:
        >>> reading_names(needs="against_base")
        ('tail_retention_vs_base', 'head_retention_vs_base', 'tail_gap_vs_base')
    """
    return tuple(
        name for name, kind in READINGS.items() if kind.needs == needs and cost in (None, kind.cost)
    )
