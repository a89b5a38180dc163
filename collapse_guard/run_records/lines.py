"""The lines of a run's file: JSON, the first of the run and the others of one look each."""

import json
import math
import sys
from collections.abc import Mapping
from dataclasses import asdict
from types import MappingProxyType
from typing import Any, NamedTuple

from collapse_guard.alerts.rules import Alert, Threshold
from collapse_guard.monitor.look import Look
from collapse_guard.run_records.record import PanelFigures, RunRecord
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
    """

    look: Look
    summary: tuple[str, ...]
    overhead: float
    texts: tuple[str, ...]
    has_ended: bool


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
    }


def look_values(
    look: Look,
    *,
    summary: tuple[str, ...],
    overhead: float,
    texts: tuple[str, ...] = (),
    has_ended: bool = False,
) -> dict[str, Any]:
    """What a line says of a look, and how the run went until then."""
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
    }


def run_of(part: Part) -> RunRecord:
    """The run that a first line tells of.

    Raises:
        ArgumentError: It is no such line, or of a later release.
    """
    parts = part.keys("format", "version", "name", "began", "package", "panel", "rules", "meanings")
    parts["format"].text(among=[FORMAT])
    parts["version"].whole(least=1, most=VERSION)
    panel = parts["panel"]
    return RunRecord(
        name=parts["name"].text(),
        began=parts["began"].text(),
        version=parts["package"].text(),
        panel=None if panel.value is None else _panel(panel),
        rules=tuple(_rule(each, _DEEPEST) for each in parts["rules"].items()),
        meanings={name: each.text() for name, each in parts["meanings"].entries().items()},
        looks=(),
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
    return RecordedLook(look, summary, overhead, texts, has_ended)


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
    return Threshold(
        parts["reading"].text(),
        relative_to_start=parts["relative_to_start"].flag(),
        patience=parts["patience"].whole(least=1),
        severity=severity,
        beside=None if beside.value is None else _rule(beside, deepest - 1),
        **limits,
    )
