"""The lines of a run's file: JSON, the first of the run and the others of one look each."""

import json
import math
import sys
from collections.abc import Mapping
from dataclasses import asdict
from types import MappingProxyType
from typing import Any, NamedTuple

from collapse_guard.alerts.rules import Alert, Threshold
from collapse_guard.errors import ArgumentError
from collapse_guard.monitor.look import Look
from collapse_guard.readings.at_positions import Floats
from collapse_guard.readings.lost_words import LostWords
from collapse_guard.run_records.decodings import decoding_of, decoding_values
from collapse_guard.run_records.record import Configuration, PanelFigures, RunRecord
from collapse_guard.run_records.words import logprobs_of, packed_logprobs, words_of, words_values
from collapse_guard.statistics.json_forms import Part
from collapse_guard.statistics.json_values import without_nan

FORMAT = "collapse_guard run"
VERSION = 1

_DEEPEST = 4
_LARGEST = sys.float_info.max
_INFINITE: Mapping[float, str] = MappingProxyType({math.inf: "inf", -math.inf: "-inf"})
_SEVERITIES = ("info", "warn", "critical")


class RecordedLook(NamedTuple):
    """What a line tells.

    Attributes:
        look: The look.
        summary: How the run went until then.
        overhead: Share of the training time that looks had taken; NaN before any training.
        texts: Some of what the model wrote.
        has_ended: Whether that is the end of the run.
        position_logprobs: What each position of the panel was given, where the look is the start.
        lost_words: Those that were lost until then, where somebody has looked for them.
    """

    look: Look
    summary: tuple[str, ...]
    overhead: float
    texts: tuple[str, ...]
    has_ended: bool
    position_logprobs: Floats | None = None
    lost_words: LostWords | None = None


def line_of(values: Mapping[str, Any]) -> str:
    """One line of the file."""
    return json.dumps(without_nan(values), ensure_ascii=False, allow_nan=False) + "\n"


def run_values(record: RunRecord) -> dict[str, Any]:
    """What the first line says of a run, without its looks."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "name": record.name,
        "began": record.began,
        "package": record.version,
        "panel": None if record.panel is None else asdict(record.panel),
        "rules": [asdict(rule) for rule in record.rules],
        "meanings": dict(record.meanings),
        "decodings": [decoding_values(each) for each in record.decodings],
        "configuration": {group: dict(own) for group, own in record.configuration.items()},
    }


def look_values(
    look: Look,
    *,
    summary: tuple[str, ...],
    overhead: float,
    texts: tuple[str, ...] = (),
    has_ended: bool = False,
    position_logprobs: Floats | None = None,
    lost_words: LostWords | None = None,
) -> dict[str, Any]:
    """What a line says of a look, and how the run went until then."""
    seldom: dict[str, Any] = {}
    if position_logprobs is not None:
        seldom["position_logprobs"] = packed_logprobs(position_logprobs)
    if lost_words is not None:
        seldom["lost_words"] = words_values(lost_words)
    return {
        "step": look.step,
        "is_full": look.is_full,
        # A model that has diverged has an infinite perplexity, which JSON has no number for.
        "values": {name: _INFINITE.get(value, value) for name, value in look.items()},
        # Those that are not known are missing.
        "standard_errors": _finite(look.standard_errors),
        "units": _finite(look.units),
        "alerts": [asdict(alert) for alert in look.alerts],
        "summary": list(summary),
        "overhead": overhead,
        "texts": list(texts),
        "has_ended": has_ended,
        **seldom,
    }


def run_of(part: Part) -> RunRecord:
    """The run that a first line tells of.

    Raises:
        ArgumentError: It is no such line, or of a later release.
    """
    parts = part.keys(
        *("format", "version", "name", "began", "package", "panel", "rules", "meanings"),
        optional=("decodings", "configuration"),
    )
    parts["format"].text(among=[FORMAT])
    parts["version"].whole(least=1, most=VERSION)
    panel = parts["panel"]
    decodings, configuration = parts.get("decodings"), parts.get("configuration")
    return RunRecord(
        name=parts["name"].text(),
        began=parts["began"].text(),
        version=parts["package"].text(),
        panel=None if panel.value is None else _panel(panel),
        rules=tuple(_rule(each, _DEEPEST) for each in parts["rules"].items()),
        meanings={name: each.text() for name, each in parts["meanings"].entries().items()},
        looks=(),
        decodings=() if decodings is None else tuple(map(decoding_of, decodings.items())),
        configuration={} if configuration is None else _configuration(configuration),
    )


def look_of(part: Part) -> RecordedLook:
    """The look that a line tells of, and what was known then.

    Raises:
        ArgumentError: It is no such line.
    """
    parts = part.keys(
        "step",
        "is_full",
        "values",
        "standard_errors",
        "units",
        "alerts",
        "summary",
        "overhead",
        "texts",
        "has_ended",
        optional=("position_logprobs", "lost_words"),
    )
    look = Look(
        step=parts["step"].whole(),
        values_by_name=_numbers(parts["values"]),
        standard_errors=_numbers(parts["standard_errors"]),
        units=_numbers(parts["units"]),
        is_full=parts["is_full"].flag(),
        alerts=tuple(_alert(each) for each in parts["alerts"].items()),
    )
    summary, texts = (
        tuple(each.text() for each in parts[name].items()) for name in ("summary", "texts")
    )
    overhead, has_ended = _number(parts["overhead"]), parts["has_ended"].flag()
    logprobs, words = parts.get("position_logprobs"), parts.get("lost_words")
    return RecordedLook(
        look,
        summary,
        overhead,
        texts,
        has_ended,
        None if logprobs is None else logprobs_of(logprobs),
        None if words is None else words_of(words),
    )


def _finite(values: Mapping[str, float]) -> dict[str, float]:
    plain = without_nan(values)
    return {name: value for name, value in plain.items() if value is not None}


def _number(part: Part) -> float:
    if isinstance(part.value, str):
        return float(part.text(among=_INFINITE.values()))
    return float("nan") if part.value is None else part.number(least=-_LARGEST, most=_LARGEST)


def _numbers(part: Part) -> dict[str, float]:
    return {name: _number(each) for name, each in part.entries().items()}


def _panel(part: Part) -> PanelFigures:
    parts = part.keys("windows", "tokens", "documents", "fingerprint")
    windows, tokens, documents = (
        parts[name].whole() for name in ("windows", "tokens", "documents")
    )
    return PanelFigures(windows, tokens, documents, parts["fingerprint"].text())


def _configuration(part: Part) -> Configuration:
    return {
        group: {name: each.text() for name, each in own.entries().items()}
        for group, own in part.entries().items()
    }


def _alert(part: Part) -> Alert:
    entries = part.entries()
    numbers = ("value", "limit", "standard_error")
    known = {name: each.value for name, each in entries.items()}
    known |= {name: _number(entries[name]) for name in numbers if name in entries}
    return Alert.from_part(Part(part.path, known, part.hint))


def _rule(part: Part, deepest: int) -> Threshold:
    part.check(deepest > 0, "rules beside few others")
    parts = part.keys(
        "reading", "below", "above", "relative_to_start", "patience", "severity", "alpha", "beside"
    )
    limits = {
        name: None if parts[name].value is None else parts[name].number()
        for name in ("below", "above", "alpha")
    }
    beside = parts["beside"]
    severity: Any = parts["severity"].text(among=_SEVERITIES)
    reading, is_relative = parts["reading"].text(), parts["relative_to_start"].flag()
    patience = parts["patience"].whole(least=1)
    other = None if beside.value is None else _rule(beside, deepest - 1)
    try:
        return Threshold(
            reading,
            relative_to_start=is_relative,
            patience=patience,
            severity=severity,
            beside=other,
            **limits,
        )
    except ArgumentError as error:
        # Which names an argument, and no file.
        raise part.wrong("what a rule can be") from error
