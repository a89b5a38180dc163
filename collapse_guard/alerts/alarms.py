"""Holding rules against one reading after another."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from collapse_guard.alerts.rules import Alert, Threshold
from collapse_guard.errors import bad_argument
from collapse_guard.readings.reading import Reading


class Alarms:
    """The rules of a run: how often each was looked at, and for how long it has been broken.

    A rule that stays broken is told once; it is armed again by a look whose value is back within
    the limit. A reading that a look did not take, or that is not a number, leaves its rules as
    they are.

    Args:
        rules: The rules, no two of which read alike.
        reading_names: What is read; every rule must be about one of these.

    Raises:
        ArgumentError: Two rules read alike, or one is about something that is not read.

    Attributes:
        rules: The rules.
        alerts: Every alert so far.
    """

    def __init__(self, rules: Sequence[Threshold], reading_names: Sequence[str]) -> None:
        self.rules = tuple(rules)
        for rule in self.rules:
            if rule.reading not in reading_names:
                raise bad_argument(
                    "rules",
                    expected="rules on what is read here",
                    given=str(rule),
                    hint="give sampling=Sampling() to let the model write, against_base=True to "
                    "compare with the model without its adapters",
                )
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
        self._looks = {str(rule): 0 for rule in self.rules}
        self._broken = {str(rule): 0 for rule in self.rules}

    def check(self, reading: Reading, start: Reading) -> list[Alert]:
        """Hold the rules against a look; what fires is returned, and added to `alerts`."""
        fired = []
        for rule in self.rules:
            name = str(rule)
            # One that could not be had is no look: it neither breaks a rule nor clears it.
            if math.isnan(reading.get(rule.reading, math.nan)):
                continue
            self._looks[name] += 1
            if not rule.is_broken(reading, start, look=self._looks[name]):
                # Unsure is not recovered: what has fired is armed again by a value that is back.
                bare = replace(rule, alpha=None)
                fired_before = self._broken[name] >= rule.patience
                if not (fired_before and bare.is_broken(reading, start)):
                    self._broken[name] = 0
                continue
            self._broken[name] += 1
            if self._broken[name] == rule.patience:
                fired.append(rule.alert(reading, start))
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
