"""Records of runs that never were."""

import math
from typing import Any

from collapse_guard import Alert, Look, Threshold
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
        lines.append(
            line_of(
                look_values(
                    look, summary=record.summary, overhead=record.overhead, has_ended=has_ended
                )
            )
        )
    return "".join(lines)
