"""Holding rules against one reading after another."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from collapse_guard.alerts.rules import Alert, Threshold
from collapse_guard.errors import bad_argument
from collapse_guard.readings.choice import HOW_TO_GIVE
from collapse_guard.readings.kind import ReadingKind
from collapse_guard.readings.reading import Reading
from collapse_guard.readings.registry import READINGS


class Alarms:
    """The rules of a run: how often each was looked at, and for how long it has been broken.

    A rule that stays broken is told once; it is armed again by a look whose value is back within
    the limit. A reading that a look did not take, or that is not a number, leaves its rules as
    they are.

    Args:
        rules: The rules, no two of which read alike.
        kinds: What is read; every rule must be about one of these.

    Raises:
        ArgumentError: Two rules read alike, or one is about something that is not read.

    Attributes:
        rules: The rules.
        alerts: Every alert so far.
    """

    def __init__(self, rules: Sequence[Threshold], kinds: Iterable[ReadingKind]) -> None:
        self.rules = tuple(rules)
        self._kinds = {kind.name: kind for kind in kinds}
        for rule in self.rules:
            if rule.reading not in self._kinds:
                raise bad_argument(
                    "rules",
                    expected="rules on what is read here",
                    given=str(rule),
                    hint=_how_to_read(rule.reading, self._kinds),
                )
            rule.check_kind(self._kinds[rule.reading])
        if len({str(rule) for rule in self.rules}) < len(self.rules):
            raise bad_argument(
                "rules",
                expected="rules that differ in reading, direction or limit",
                given=[str(rule) for rule in self.rules],
                hint="leave one of two equal ones out",
            )
        self.clear()

    def clear(self) -> None:
        """Forget all looks and alerts: a new run starts."""
        self.alerts: list[Alert] = []
        self._named = {str(rule): rule for rule in self.rules}
        self._looks = dict.fromkeys(self._named, 0)
        self._broken = dict.fromkeys(self._named, 0)

    def check(self, reading: Reading, start: Reading) -> list[Alert]:
        """Hold the rules against a look; what fires is returned, and added to `alerts`."""
        fired = []
        values = reading.values_by_name
        for name, rule in self._named.items():
            kind = self._kinds[rule.reading]
            # One that could not be had is no look: it neither breaks a rule nor clears it.
            if math.isnan(values.get(rule.reading, math.nan)):
                continue
            self._looks[name] += 1
            if not rule.is_broken(reading, start, look=self._looks[name], kind=kind):
                # Unsure is not recovered: what has fired is armed again by a value that is back.
                fired_before = self._broken[name] >= rule.patience
                if not (fired_before and _is_past(rule, reading, start, kind)):
                    self._broken[name] = 0
                continue
            self._broken[name] += 1
            if self._broken[name] == rule.patience:
                fired.append(rule.alert(reading, start, kind=kind))
        self.alerts.extend(fired)
        return fired

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs, in plain JSON types."""
        return {
            "looks": dict(self._looks),
            "broken": dict(self._broken),
            "alerts": [asdict(alert) for alert in self.alerts],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state_dict`; rules that it does not know start afresh."""
        self.clear()
        self.alerts = [Alert(**alert) for alert in state["alerts"]]
        for mine, saved in ((self._looks, state["looks"]), (self._broken, state["broken"])):
            mine.update({rule: int(saved[rule]) for rule in mine if rule in saved})


def _is_past(rule: Threshold, reading: Reading, start: Reading, kind: ReadingKind) -> bool:
    """Whether the bare value is past the limit."""
    return replace(rule, alpha=None).is_broken(reading, start, kind=kind)


def _how_to_read(name: str, kinds: Mapping[str, ReadingKind]) -> str:
    known = READINGS.get(name)
    if known is not None and known.needs is not None:
        return f"give {HOW_TO_GIVE[known.needs]}"
    return f"choose from {', '.join(kinds)}, or add a reading of yours in readings=[..., mine]"
