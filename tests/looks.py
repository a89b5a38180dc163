"""Names of readings by kind, and readings of a whole panel without a monitor."""

from dataclasses import replace

import numpy as np
import torch

from collapse_guard import Baseline, Reading
from collapse_guard.monitor.rotation import Rotation
from collapse_guard.readings.evidence import Evidence
from collapse_guard.readings.panel import Panel
from collapse_guard.readings.panel_sums import BandSums, PanelScores
from collapse_guard.readings.registry import READINGS, reading_names
from collapse_guard.readings.sampling import Samples
from collapse_guard.readings.take import baseline_of
from collapse_guard.statistics.estimates import Estimate

ON_HUMAN_TEXT = reading_names()
BANDED = reading_names(cost="each look")
PAIRED = tuple(name for name, kind in READINGS.items() if kind.logs_error)
PREQUENTIAL = reading_names(needs="prequential")
WRITTEN = reading_names(needs="sampling")

# Nothing that is read here asks the model anything more.
MODEL = torch.nn.Identity()

KINDS = [READINGS[name] for name in ON_HUMAN_TEXT]
CHEAP_KINDS = [READINGS[name] for name in BANDED]


def take_baseline(panel: Panel, scores: PanelScores) -> Baseline:
    start = baseline_of(panel, scores)
    return replace(start, readings=make_reading(panel, scores, start, step=0))


def make_reading(panel: Panel, scores: PanelScores, start: Baseline, *, step: int) -> Reading:
    evidence = Evidence(MODEL, panel, step, scores, start, scores=scores)
    return Reading.of(step, {kind.name: kind.take(evidence) for kind in KINDS})


def make_small_reading(panel: Panel, rotation: Rotation, start: Baseline, *, step: int) -> Reading:
    evidence = Evidence(MODEL, panel, step, rotation.whole, start, moved=rotation.moved())
    estimates = {kind.name: kind.take(evidence) for kind in CHEAP_KINDS}
    return Reading.of(step, estimates, is_full=False)


def make_sampled_readings(samples: Samples, panel: Panel) -> dict[str, Estimate]:
    sums = BandSums(*np.zeros((3, len(panel))))
    evidence = Evidence(MODEL, panel, 0, sums, None, write=lambda: samples)
    return {name: READINGS[name].take(evidence) for name in WRITTEN}
