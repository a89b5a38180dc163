"""Records of runs that never were."""

import math
from typing import Any

from collapse_guard import Alert, Decoding, Look, Threshold
from collapse_guard.finder.search import DecodingSearch, DecodingTrial
from collapse_guard.finder.source_decoding import SourceDecoding
from collapse_guard.readings.lost_words import LostWord, LostWords
from collapse_guard.run_records.lines import line_of, look_values, run_values
from collapse_guard.run_records.record import PanelFigures, RunRecord

RULES = (
    Threshold("tail_retention", below=0.85),
    Threshold(
        "effective_vocabulary",
        below=0.8,
        relative_to_start=True,
        severity="critical",
        beside=Threshold("tail_retention", below=0.85),
    ),
)


LOST = LostWords(
    (
        LostWord("quokka", 2, -4.0, -9.5, "There hops a ", "quokka", " over the fence"),
        LostWord("zither", 1, -7.0, -8.0, "", "Zither", " and lute"),
    ),
    compared=40,
    halved=3,
    doubled=1,
)


def a_search() -> DecodingSearch:
    trials = (
        DecodingTrial(Decoding(0.8, top_p=0.9), 24, 3.0, 0.1, 0.0, (0.0, 0.0)),
        DecodingTrial(Decoding(top_k=20), 24, 3.1, 0.1, 0.1, (-math.inf, math.inf)),
        DecodingTrial(Decoding(), 24, 3.2, 0.1, 0.2, (0.1, 0.3)),
        DecodingTrial(Decoding(0.5), 6, 3.9, math.inf, 0.7, (0.5, 0.9)),
    )
    return DecodingSearch(
        trials[0].decoding, trials, 3.5, documents=40, steps=78, seconds=1.5, notes=("no time",)
    )


DECODINGS = (
    SourceDecoding("web", Decoding(0.8, top_p=0.9), a_search()),
    SourceDecoding("old model", Decoding(0.7, min_p=0.1, top_k=5)),
    SourceDecoding("rows that say it", None),
)

CONFIGURATION = {"model": {"class": "GPT2LMHeadModel"}, "training": {"learning rate": "0.001"}}


def an_alert(step: int, rule: str = "tail_retention below 0.85") -> Alert:
    return Alert(
        rule, "tail_retention", 0.5, 0.85, math.nan, step, "warn", "it fell", "narrowing", "why"
    )


def a_look(step: int, kept: float, **others: Any) -> Look:
    values = {
        "tail_retention": kept,
        "perplexity": 50.0,
        "tail_gap": math.nan,
        "own_entropy": math.inf,
    }
    errors = {"tail_retention": 0.01, "perplexity": math.nan}
    return Look(step, values, errors, {"tail_retention": 40.0, "perplexity": math.inf}, **others)


def a_record(*looks: Look, **others: Any) -> RunRecord:
    settings: dict[str, Any] = {
        "name": "collapse",
        "began": "2026-01-02T03:04:05+00:00",
        "version": "0.1.0",
        "panel": PanelFigures(64, 128, 40, "abc"),
        "rules": RULES,
        "meanings": {"tail_retention": "what is left", "perplexity": "exp of the mean NLL"},
        "looks": looks,
    }
    return RunRecord(**{**settings, **others})


def written(record: RunRecord) -> str:
    lines = [line_of(run_values(record))]
    for number, look in enumerate(record.looks, start=1):
        has_ended = record.has_ended and number == len(record.looks)
        told = look_values(
            look,
            summary=record.summary,
            overhead=record.overhead,
            has_ended=has_ended,
            position_logprobs=record.position_logprobs if number == 1 else None,
            lost_words=record.lost_words if has_ended else None,
        )
        lines.append(line_of(told))
    return "".join(lines)
