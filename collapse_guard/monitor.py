"""The monitor that any training loop can call."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import torch

from collapse_guard.errors import CollapseGuardError, bad_argument
from collapse_guard.panel import HeldOutPanel
from collapse_guard.panel_scores import PanelScores, score_panel
from collapse_guard.readings import (
    READINGS,
    Baseline,
    Reading,
    SampledValues,
    make_reading,
    take_baseline,
)
from collapse_guard.rules import Alert, Threshold, default_rules
from collapse_guard.sampled_readings import SAMPLED_READINGS, make_sampled_readings
from collapse_guard.samples import Sampling, draw_samples


class CollapseMonitor:
    """Looks at a model on held-out human text, step by step, and raises alerts.

    It knows no trainer: call `start` with the model that the run starts from and `observe` as
    often as you like. It never trains, and never changes the model or a random state.

    Args:
        panel: The held-out human text.
        rules: What to raise alerts on; `default_rules()` where left out, none where empty.
        batch_size: Windows per forward pass, at least 1. Lower it when memory is short.
        sampling: How much the model writes at each look, for the readings of `SAMPLED_READINGS`;
            None for readings on human text alone.
        baseline: The start of another monitor of the same panel and sampling, to go on from
            instead of calling `start`: a chain of fine-tunings is measured against its first model
            this way.

    Attributes:
        alerts: Every alert so far.
        history: Every reading so far, the start's first.

    Example:
        A loop of your own needs two lines::

            monitor = CollapseMonitor(panel)
            monitor.start(model)
            for step, batch in enumerate(loader, start=1):
                train_on(batch)
                if step % 50 == 0:
                    print(monitor.observe(model, step)["tail_retention"], monitor.alerts)
    """

    def __init__(
        self,
        panel: HeldOutPanel,
        *,
        rules: Sequence[Threshold] | None = None,
        batch_size: int = 16,
        sampling: Sampling | None = None,
        baseline: Baseline | None = None,
    ) -> None:
        if batch_size < 1:
            raise bad_argument(
                "batch_size",
                expected="at least 1 window",
                given=batch_size,
                hint="16 is the default",
            )
        self.panel = panel
        self.rules = default_rules() if rules is None else tuple(rules)
        self.sampling = sampling
        for rule in self.rules:
            if rule.reading not in self.reading_names:
                raise bad_argument(
                    "rules",
                    expected="rules on what is read here",
                    given=str(rule),
                    hint="give sampling=Sampling() to let the model write",
                )
        _check_baseline(baseline, self.reading_names)
        self.batch_size = batch_size
        self.baseline = baseline
        self.alerts: list[Alert] = []
        self.history: list[Reading] = []
        self._looks_broken = dict.fromkeys(map(str, self.rules), 0)

    @property
    def started(self) -> bool:
        """Whether there is a start to compare with."""
        return self.baseline is not None

    @property
    def reading_names(self) -> tuple[str, ...]:
        """Names of the readings that each look takes."""
        return (*READINGS, *(SAMPLED_READINGS if self.sampling else ()))

    def start(self, model: torch.nn.Module, step: int = 0) -> Reading:
        """Take the run's own baseline, and forget any earlier run.

        Args:
            model: The causal language model that the run starts from.
            step: The training step to name it by.

        Raises:
            TokenizerMismatchError: The model's vocabulary is smaller than the panel's.
            ScoringError: The model's output cannot be read.
        """
        scores, sampled = self._look(model)
        self.baseline = take_baseline(self.panel, scores, sampled)
        self.alerts, self.history = [], []
        self._looks_broken = dict.fromkeys(self._looks_broken, 0)
        reading = make_reading(self.panel, scores, self.baseline, sampled, step=step)
        self.history.append(reading)
        return reading

    def observe(self, model: torch.nn.Module, step: int) -> Reading:
        """Look at the model, and put alerts for broken rules into `alerts`.

        A rule that stays broken is told once; it is armed again by a look that does not break it.

        Args:
            model: The causal language model as it is now.
            step: The training step after which this is.

        Raises:
            CollapseGuardError: There is no start yet.
            ScoringError: The model's output cannot be read, or is not finite.
        """
        if self.baseline is None:
            raise CollapseGuardError(
                "the monitor has no start to compare with: call start(model) before the first "
                "training step, or give `baseline=` at construction."
            )
        scores, sampled = self._look(model)
        reading = make_reading(self.panel, scores, self.baseline, sampled, step=step)
        self.history.append(reading)
        self.alerts.extend(self._check(reading, self.baseline.readings))
        return reading

    def _look(self, model: torch.nn.Module) -> tuple[PanelScores, SampledValues]:
        scores = score_panel(model, self.panel, batch_size=self.batch_size)
        if self.sampling is None:
            return scores, {}
        samples = draw_samples(model, self.panel, self.sampling)
        return scores, make_sampled_readings(samples, self.panel)

    def _check(self, reading: Reading, start: Mapping[str, float]) -> list[Alert]:
        alerts = []
        for rule in self.rules:
            if rule.is_broken(reading, start):
                self._looks_broken[str(rule)] += 1
                if self._looks_broken[str(rule)] == rule.patience:
                    alerts.append(rule.alert(reading, start))
            else:
                self._looks_broken[str(rule)] = 0
        return alerts

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs, in plain JSON types: start, patience, and alerts so far."""
        return {
            "baseline": None if self.baseline is None else self.baseline.to_dict(),
            "looks_broken": dict(self._looks_broken),
            "alerts": [asdict(alert) for alert in self.alerts],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state_dict`.

        Rules that the state does not know start afresh.

        Raises:
            ArgumentError: The state is of a monitor with another panel.
        """
        baseline = None if state["baseline"] is None else Baseline.from_dict(state["baseline"])
        if baseline is not None and baseline.panel != self.panel.fingerprint:
            raise bad_argument(
                "state",
                expected=f"one of a monitor of this panel ({self.panel.fingerprint})",
                given=f"one of panel {baseline.panel}",
                hint="resume with the same held-out documents, reference and window",
            )
        _check_baseline(baseline, self.reading_names)
        self.baseline = baseline
        self.alerts = [Alert(**alert) for alert in state["alerts"]]
        for rule in self._looks_broken:
            self._looks_broken[rule] = int(state["looks_broken"].get(rule, 0))


def _check_baseline(baseline: Baseline | None, reading_names: Sequence[str]) -> None:
    missing = [] if baseline is None else [n for n in reading_names if n not in baseline.readings]
    if missing:
        raise bad_argument(
            "baseline",
            expected="the start of a monitor that takes the same readings",
            given=f"one without {', '.join(missing)}",
            hint="give both monitors the same sampling=",
        )
