"""A rule from outside of the package, which needs no more than its parameters.

Inside of the package one adds a line to `default_rules` in `collapse_guard/alerts/rules.py`; a rule
of another kind than a limit is a class beside `Threshold` there.
"""

from collapse_guard import Alert, CollapseMonitor, Reading, Threshold
from collapse_guard.readings.kind import ReadingKind
from tests.tiny import BRIEF, perturb, tiny_gpt2, tiny_panel


class Halved(Threshold):
    """Broken when a reading is below half of its start, whatever chance explains."""

    def __init__(self, reading: str) -> None:
        super().__init__(reading, below=0.5, relative_to_start=True, alpha=None)

    def __str__(self) -> str:
        return f"{self.reading} halved"

    def alert(self, reading: Reading, start: Reading, *, kind: ReadingKind | None = None) -> Alert:
        """The alert in words of its own."""
        plain = super().alert(reading, start, kind=kind)
        return Alert(**{**vars(plain), "message": f"half of {self.reading} is gone"})


def test_a_rule_of_one_s_own_raises_alerts() -> None:
    rules, model = [Halved("tail_retention")], tiny_gpt2()
    monitor = CollapseMonitor(tiny_panel(), rules=rules, rules_wait=False, sampling=BRIEF)
    monitor.start(model)
    assert monitor.look(model, 1).alerts == ()
    perturb(model, 1.0)
    (alert,) = monitor.look(model, 2).alerts
    assert (alert.rule, alert.message) == (
        "tail_retention halved",
        "half of tail_retention is gone",
    )
    assert monitor.look(model, 3).alerts == ()
