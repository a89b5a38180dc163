import logging
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping

from collapse_guard import (
    Alert,
    ArgumentError,
    CollapseMonitor,
    EveryNSteps,
    Threshold,
)
from collapse_guard.callbacks import CollapseGuard
from tests.callbacks.lightning.runs import (
    ALWAYS_BROKEN,
    QUIET,
    LanguageModule,
    every,
    fingerprint,
    fit,
    guarded,
    held_out,
    make_trainer,
)
from tests.tiny import tiny_panel

pytestmark = QUIET


def test_alerts_go_to_the_sink_and_training_goes_on(tmp_path: Path) -> None:
    alerts: list[Alert] = []
    guard = guarded(every(5, rules=[ALWAYS_BROKEN]), sink=alerts.append)
    trainer = make_trainer(tmp_path, guard)
    fit(trainer)
    assert [alert.step for alert in alerts] == [5]
    assert trainer.global_step == 16
    assert trainer.callback_metrics["collapse/alerts"] == 1


@pytest.mark.parametrize(
    ("on_alert", "severity", "stops", "saves"),
    [
        ("log", "critical", False, False),
        ("save", "warn", False, True),
        ("stop", "warn", True, False),
        ("save_and_stop", "critical", True, True),
        ("save_and_stop", "info", False, False),
        (lambda alert: "save", "warn", False, True),
        (lambda alert: None, "critical", False, False),
    ],
)
def test_actions(tmp_path: Path, on_alert: Any, severity: Any, stops: bool, saves: bool) -> None:
    rule = Threshold("perplexity", above=0.0, severity=severity)
    guard = guarded(every(5, rules=[rule]), on_alert=on_alert)
    trainer = make_trainer(tmp_path, guard)
    fit(trainer)
    assert trainer.global_step == (5 if stops else 16)
    saved = sorted(tmp_path.rglob("*.ckpt"))
    assert [path.name for path in saved] == (["collapse-alert-5.ckpt"] if saves else [])
    if saves:
        assert torch.load(saved[0], weights_only=True)["global_step"] == 5


class Breaks(CollapseMonitor):
    """Fails at every look from the given step on."""

    def __init__(self, error: Exception, from_step: int) -> None:
        super().__init__(tiny_panel(), rules=[], pace=EveryNSteps(2))
        self.error, self.from_step = error, from_step

    def _look_at_all(self, model: torch.nn.Module, step: int) -> Any:
        if step >= self.from_step:
            raise self.error
        return super()._look_at_all(model, step)


@pytest.mark.parametrize("from_step", [0, 6])
@pytest.mark.parametrize(
    "error", [ValueError("broken"), torch.OutOfMemoryError("no memory")], ids=["value", "oom"]
)
def test_failures_are_reported_once_and_harm_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, error: Exception, from_step: int
) -> None:
    plain = make_trainer(tmp_path)
    expected = fingerprint(plain, fit(plain, val_dataloaders=held_out()))
    stopper = EarlyStopping("collapse/tail_retention", mode="max", patience=9, check_finite=False)
    guard = CollapseGuard(Breaks(error, from_step), on_alert="stop")
    trainer = make_trainer(tmp_path, stopper, guard)
    with caplog.at_level(logging.ERROR, "collapse_guard"):
        module = fit(trainer, val_dataloaders=held_out())
    assert fingerprint(trainer, module) == expected
    assert sum(str(error) in str(r.exc_info) for r in caplog.records if r.exc_info) == 1
    retention = float(trainer.callback_metrics["collapse/tail_retention"])
    assert math.isnan(retention) == (from_step == 0)


def test_failures_are_raised_where_wanted(tmp_path: Path) -> None:
    guard = CollapseGuard(Breaks(ValueError("broken"), 6), on_error="raise")
    module = LanguageModule()
    with pytest.raises(ValueError, match="broken"):
        fit(make_trainer(tmp_path, guard), module)
    assert all(each.training for each in module.modules())


def test_failing_sinks_and_actions_do_not_end_the_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(alert: Alert) -> None:
        raise ConnectionError(f"no mail about {alert.reading}")

    guard = guarded(every(5, rules=[ALWAYS_BROKEN]), sink=fail, on_alert=fail, on_error="report")
    trainer = make_trainer(tmp_path, guard)
    fit(trainer)
    assert trainer.global_step == 16
    assert "passing on an alert failed" in caplog.text
    assert "acting on an alert failed" in caplog.text


def test_a_trainer_of_the_other_package_is_named(tmp_path: Path) -> None:
    other = type("Trainer", (), {"__module__": "pytorch_lightning.trainer.trainer"})()
    with pytest.raises(ArgumentError, match="one of pytorch_lightning, whose classes differ"):
        guarded().setup(other, LanguageModule(), "fit")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"on_alert": "halt"}, "`on_alert`"),
        ({"on_error": "ignore"}, "`on_error`"),
        ({"name": "a/b"}, "`name`"),
        ({"model": len, "forward": len}, "`forward`"),
    ],
)
def test_bad_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        guarded(**arguments)
    with pytest.raises(ArgumentError, match="`monitor` expected a CollapseMonitor"):
        CollapseGuard(tiny_panel())  # type: ignore[arg-type]
