"""A monitor as users have it, whose alarms are judged by human text that it does not look at."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from collapse_guard import Baseline, CollapseMonitor, EveryNSteps, HeldOutPanel, Sampling
from collapse_guard.alerts.rules import Alert, Threshold
from collapse_guard.monitor.look import Look
from collapse_guard.readings.sampling import A_LITTLE

READ = ("perplexity", "tail_retention", "head_retention", "tail_gap", "effective_vocabulary")
LOST = Threshold("tail_retention", below=0.85)


@dataclass(frozen=True)
class HeldOut:
    """Held-out human text of one kind.

    Attributes:
        panel: What the monitor looks at.
        second: What alarms are judged by: other documents, or other parts of them.
    """

    panel: HeldOutPanel
    second: HeldOutPanel


def rest_of(
    panel: HeldOutPanel, documents: Sequence[list[int]], groups: Sequence[str], *, most: int
) -> HeldOutPanel:
    """A panel of those documents that another one has not taken, of at most so many windows."""
    assert panel.source_ids is not None
    taken = set(panel.source_ids.tolist())
    left = [number for number in range(len(documents)) if number not in taken]
    return HeldOutPanel.from_token_ids(
        [documents[number] for number in left],
        panel.reference,
        window=panel.input_ids.shape[1],
        short="drop",
        max_windows=most,
        groups=[groups[number] for number in left],
    )


class JudgedMonitor(CollapseMonitor):
    """A monitor with its default rules, and a second panel that is looked at when it alarms.

    Args:
        held_out: The two panels.
        every: Steps between two looks.
        sampling: What the model writes at each look.
        before: The monitor of the training before, in a chain.
    """

    def __init__(
        self,
        held_out: HeldOut,
        *,
        every: int,
        sampling: Sampling = A_LITTLE,
        before: "JudgedMonitor | None" = None,
    ) -> None:
        super().__init__(
            held_out.panel, pace=EveryNSteps(every), sampling=sampling, continues=before
        )
        self.judge: CollapseMonitor = CollapseMonitor(
            held_out.second,
            rules=(),
            rules_wait=False,
            sampling=sampling,
            baseline=None if before is None else before.judge.baseline,
        )
        self.every = every
        self.judged: dict[int, Look] = {}
        self._known: Baseline | None = self.baseline
        self._start_step = 0

    def start(self, model: torch.nn.Module, step: int = 0, **settings: Any) -> Look:
        """Take the start on both panels."""
        look = super().start(model, step, **settings)
        self._follow(model, look)
        return look

    def observe(self, model: torch.nn.Module, step: int, **settings: Any) -> Look:
        """Look as the pace says."""
        return self._follow(model, super().observe(model, step, **settings))

    def look(self, model: torch.nn.Module, step: int, **settings: Any) -> Look:
        """Look now."""
        return self._follow(model, super().look(model, step, **settings))

    def finish(self, model: torch.nn.Module) -> None:
        """Judge what the training came to."""
        self._judge(model, self.history[-1].step)

    def _follow(self, model: torch.nn.Module, look: Look) -> Look:
        if self.baseline is not self._known:
            # Rules have waited until the model knew its domain: the start is taken anew.
            self.judge.start(model, look.step)
            self._known, self._start_step = self.baseline, look.step
        if look.alerts:
            self._judge(model, look.step)
        return look

    def _judge(self, model: torch.nn.Module, step: int) -> None:
        if step not in self.judged:
            self.judged[step] = self.judge.look(model, step)

    def record(self) -> dict[str, Any]:
        """Looks, alarms and what the second panel says of them, in plain JSON types."""
        last = self.judged[self.history[-1].step]
        return {
            "steps": self.history[-1].step,
            "every": self.every,
            "documents": self.panel.num_documents,
            "second_documents": self.judge.panel.num_documents,
            "start": self._start_step,
            "looks": [_plain(look) for look in self.history],
            "second": _plain(last),
            "second_error": last.standard_errors["tail_retention"],
            "alarms": [self._recorded(alert) for alert in self.alerts],
            "bare": self._past_the_bare_limit(),
        }

    def _recorded(self, alert: Alert) -> dict[str, Any]:
        rule = next(rule for rule in self.rules if str(rule) == alert.rule)
        assert self.judge.baseline is not None
        judged, start = self.judged[alert.step], self.judge.baseline.readings
        return {
            "rule": alert.rule,
            "severity": alert.severity,
            "step": alert.step,
            "value": alert.value,
            "error": alert.standard_error,
            "cause": alert.cause,
            "second_value": judged[alert.reading],
            "right": bool(all(each.past(judged, start).value > 0 for each in rule.held)),
        }

    def _past_the_bare_limit(self) -> int | None:
        """The first step at which a rule without an interval would have told a lost tail."""
        after = (look for look in self.history if look.step > self._start_step)
        return next((look.step for look in after if _is_lost(look)), None)


def _is_lost(look: Look) -> bool:
    return look["tail_retention"] < (LOST.below or np.nan)


def _plain(look: Look) -> dict[str, Any]:
    return {"step": look.step, **{name: float(look[name]) for name in READ}}
