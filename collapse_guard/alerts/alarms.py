"""Holding rules against one reading after another."""

import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import cache, partial
from typing import Any

from collapse_guard.alerts.causes import likely_cause
from collapse_guard.alerts.rules import Alert, Threshold
from collapse_guard.errors import bad_argument
from collapse_guard.readings.choice import HOW_TO_GIVE
from collapse_guard.readings.kind import ReadingKind
from collapse_guard.readings.reading import Reading
from collapse_guard.readings.registry import READINGS
from collapse_guard.statistics.json_forms import Part, RestoredWhole
from collapse_guard.statistics.supremum_boundary import SupremumBoundary


class Alarms(RestoredWhole):
    """The rules of a run: how often each was looked at, and for how long it has been broken.

    A rule that stays broken is told once; it is armed again by a look whose value is back within
    the limit. A reading that a look did not take, or that is not a number, leaves its rules as
    they are.

    Args:
        rules: The rules, no two of which read alike.
        kinds: What is read; every rule must be about one of these.
        seed: Of the chance that rules are held against (`SupremumBoundary`).

    Raises:
        ArgumentError: Two rules read alike, or one is about something that is not read.

    Attributes:
        rules: The rules.
        alerts: Every alert so far.
    """

    def __init__(
        self, rules: Sequence[Threshold], kinds: Iterable[ReadingKind], *, seed: int = 0
    ) -> None:
        self.rules, self._seed = tuple(rules), seed
        self._kinds = {kind.name: kind for kind in kinds}
        for rule in (each for named in self.rules for each in named.held):
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
        self._named = {str(rule): rule for rule in self.rules}
        self._boundaries = self._fresh_boundaries()
        self.begin_next()

    def _fresh_boundaries(self) -> dict[str, SupremumBoundary]:
        held = {str(each): each for rule in self.rules for each in rule.held}
        return {
            name: SupremumBoundary(rule.alpha, seed=self._seed)
            for name, rule in held.items()
            if rule.alpha is not None
        }

    def begin_next(self) -> None:
        """Forget alerts, and keep what is spent: the next run of a chain starts.

        A chain is measured against one start on one panel. Chance has drawn the panel once for all
        of its runs, and their looks are looks at that.
        """
        self.alerts: list[Alert] = []
        self._broken = dict.fromkeys(self._named, 0)
        self._last: dict[str, float] = {}

    def check(self, reading: Reading, start: Reading) -> list[Alert]:
        """Hold the rules against a look; what fires is returned, and added to `alerts`."""
        fired = []
        # A look at a part of the panel reads less than what tells a cause.
        self._last.update({name: value for name, value in reading.items() if math.isfinite(value)})
        broken = cache(partial(self._breaks, reading, start))
        for name, rule in self._named.items():
            # One that could not be had is no look: it neither breaks a rule nor clears it.
            if any(math.isnan(reading.get(each.reading, math.nan)) for each in rule.held):
                continue
            # All are asked, so that each boundary is told of each look.
            answers = [broken(each) for each in rule.held]
            if not all(answers):
                # Unsure is not recovered: what has fired is armed again by a value that is back.
                fired_before = self._broken[name] >= rule.patience
                if not (fired_before and self._is_past(rule, reading, start)):
                    self._broken[name] = 0
                continue
            self._broken[name] += 1
            if self._broken[name] == rule.patience:
                alert = rule.alert(reading, start, kind=self._kinds[rule.reading])
                cause = likely_cause(self._last, start)
                fired.append(replace(alert, cause=cause.name, explanation=str(cause)))
        self.alerts.extend(fired)
        return fired

    def _breaks(self, reading: Reading, start: Reading, rule: Threshold) -> bool:
        boundary = self._boundaries.get(str(rule))
        reach = None if boundary is None else boundary.next
        return rule.is_broken(reading, start, reach=reach, kind=self._kinds[rule.reading])

    def _is_past(self, rule: Threshold, reading: Reading, start: Reading) -> bool:
        """Whether the bare values are past their limits."""
        return all(
            each.past(reading, start, kind=self._kinds[each.reading]).value > 0
            for each in rule.held
        )

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs, in plain JSON types."""
        return {
            "boundaries": {name: each.state_dict() for name, each in self._boundaries.items()},
            "broken": dict(self._broken),
            "last": dict(self._last),
            "alerts": [asdict(alert) for alert in self.alerts],
        }

    def restoring(self, state: Part) -> Callable[[], None]:
        """As `RestoredWhole.restoring`; rules that it does not know start afresh."""
        parts = _parts(state)
        alerts = [Alert.from_part(alert) for alert in parts["alerts"].items()]
        broken = {name: each.whole() for name, each in parts["broken"].entries().items()}
        last = parts["last"].entries() if "last" in parts else {}
        most = sys.float_info.max
        values = {name: each.number(least=-most, most=most) for name, each in last.items()}
        boundaries = self._fresh_boundaries()
        spend = _spending(boundaries, parts)

        def restore() -> None:
            self.clear()
            self._boundaries = boundaries
            spend()
            self.alerts, self._last = alerts, values
            self._broken.update({name: broken[name] for name in self._broken if name in broken})

        return restore

    def spend_as(self, state: Mapping[str, Any]) -> None:
        """Take over what rules have spent of their error budgets by `state_dict`, no more.

        Rules that it does not know have spent nothing.

        Raises:
            ArgumentError: It is no such state; nothing is changed then.
        """
        self.spending(Part("state", state))()

    def spending(self, state: Part) -> Callable[[], None]:
        """Check a state, and return what does as `spend_as`.

        Raises:
            ArgumentError: As `spend_as`.
        """
        return _spending(self._boundaries, _parts(state))


def _parts(state: Part) -> dict[str, Part]:
    parts = state.keys("broken", "alerts", optional=["boundaries", "last", "looks"])
    parts["broken"].entries()
    # The last release counted looks where this one keeps boundaries.
    state.check("boundaries" in parts or "looks" in parts, "a mapping with boundaries")
    return parts


def _spending(
    boundaries: Mapping[str, SupremumBoundary], parts: Mapping[str, Part]
) -> Callable[[], None]:
    spent = parts["boundaries"].entries() if "boundaries" in parts else {}
    for name, each in spent.items():
        # Or that of a rule that another one stands beside.
        is_known = any(name in rule for rule in parts["broken"].value)
        each.check(is_known, "the boundary of one of the rules that are counted in `broken`")
    # Those of rules that are gone are held to the same form, since one file has written them all.
    restore = [
        boundaries.get(name, SupremumBoundary(0.5)).restoring(each) for name, each in spent.items()
    ]

    def spend() -> None:
        for each in restore:
            each()

    return spend


def _how_to_read(name: str, kinds: Mapping[str, ReadingKind]) -> str:
    known = READINGS.get(name)
    if known is not None and known.needs is not None:
        return f"give {HOW_TO_GIVE[known.needs]}"
    return f"choose from {', '.join(kinds)}, or add a reading of yours in readings=[..., mine]"
