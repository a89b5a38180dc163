"""Alerts arrive among those of a real run of wandb and of trackio."""

from pathlib import Path

import pytest

from collapse_guard import Alert, CollapseGuardError
from collapse_guard.integrations import trackio_sink, wandb_sink
from tests.callbacks.tracked_runs import QUIET_TRACKERS

ALERT = Alert("tail_gap above 0.2", "tail_gap", 0.3, 0.2, 0.01, 8, "critical", "30% is gone.")

pytestmark = QUIET_TRACKERS


def test_wandb(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    wandb = pytest.importorskip("wandb", reason="wandb is not installed")
    sink = wandb_sink(most=2)
    with pytest.raises(CollapseGuardError, match="no run of wandb"):
        wandb_sink()(ALERT)
    run = wandb.init(mode="offline", dir=str(tmp_path), settings=wandb.Settings(silent=True))
    # Not read from its file: once in many runs wandb had written none of them there.
    alert, raised = run.alert, []

    def seen(title: str, text: str, level: str, wait: float) -> None:
        alert(title, text, level, wait)
        raised.append((title, text, level))

    monkeypatch.setattr(run, "alert", seen)
    for _ in range(3):
        sink(ALERT)
    wandb.finish()
    assert raised == [("tail_gap above 0.2", "Step 8: 30% is gone.", "ERROR")] * 2
    assert caplog.text.count("30% is gone.") == 4


def test_trackio() -> None:
    trackio = pytest.importorskip("trackio", reason="trackio is not installed")
    from trackio.sqlite_storage import SQLiteStorage

    sink = trackio_sink(most=1)
    with pytest.raises(CollapseGuardError, match="no run of trackio"):
        trackio_sink()(ALERT)
    trackio.init(project="alerts", embed=False)
    for _ in range(2):
        sink(ALERT)
    trackio.finish()
    (alert,) = SQLiteStorage.get_alerts("alerts")
    told = {"title": "tail_gap above 0.2", "text": "Step 8: 30% is gone.", "level": "error"}
    assert {key: alert[key] for key in told} == told
