"""One page of HTML about runs that needs nothing else: no script, no font, no link."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

from collapse_guard import Alert, CollapseProfile, collapse_profile
from collapse_guard.integrations.run_report.curves import Curve, curves_of
from collapse_guard.integrations.run_report.definitions import definitions_of
from collapse_guard.integrations.run_report.trials import trials_of_run
from collapse_guard.integrations.templates import filled_in
from collapse_guard.run_records.record import RunRecord


def run_page(
    runs: Mapping[str, RunRecord],
    ledgers: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    curves: Sequence[Curve] | None = None,
) -> str:
    """A report on one run, or on several side by side.

    What comes out of data or names stands there as text, whatever it holds.

    Args:
        runs: By what they are called on the page, at least one.
        ledgers: Of the runs that have one, by the same names (`read_ledger`).
        curves: Of these runs, where they are drawn already (`curves_of`).

    Raises:
        ArgumentError: No run, or one without a look at the whole panel.
        MissingExtraError: matplotlib or jinja2 is not installed.
    """
    drawn = curves_of(runs) if curves is None else curves
    profiles = {name: _profile(run) for name, run in runs.items()}
    readings = [curve.reading for curve in drawn]
    meanings = definitions_of(runs.values(), readings, profiles.values())
    return filled_in(
        Path(__file__).with_name("page.html.j2"),
        runs=runs,
        zip=partial(zip, strict=False),
        starts={name: run.full_looks[0] for name, run in runs.items()},
        lasts={name: run.full_looks[-1] for name, run in runs.items()},
        curves=drawn,
        profiles=profiles,
        meanings=meanings,
        places={name: f"meaning-{place}" for place, name in enumerate(meanings, start=1)},
        trials={name: trials_of_run(run) for name, run in runs.items()},
        exp=math.exp,
        ledgers=ledgers or {},
        alarms={name: alarms_of(run) for name, run in runs.items()},
        verdicts={name: verdict(run) for name, run in runs.items()},
    )


@dataclass(frozen=True)
class Alarm:
    """Alerts of one step that have one reason.

    Attributes:
        step: The step.
        alerts: The alerts, in the order of the rules.
        why: The reason, and what to do.
    """

    step: int
    alerts: tuple[Alert, ...]
    why: str


def alarms_of(run: RunRecord) -> tuple[Alarm, ...]:
    """The alerts of a run, those that say the same together."""

    def key(alert: Alert) -> tuple[int, str]:
        return alert.step, alert.explanation or alert.message

    return tuple(Alarm(step, tuple(same), why) for (step, why), same in groupby(run.alerts, key))


def verdict(run: RunRecord) -> str:
    """How a run went, in a word or two."""
    state = "" if run.has_ended else ", still running or broken off"
    return ("alarm" if any(alert.is_alarm for alert in run.alerts) else "no alarm") + state


def _profile(run: RunRecord) -> CollapseProfile | None:
    looks = run.full_looks
    return collapse_profile(looks) if len(looks) > 1 else None
