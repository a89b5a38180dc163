"""Alerts arrive among those of a real run of wandb and of trackio."""

from pathlib import Path

import pytest

from collapse_guard import Alert, CollapseGuardError
from collapse_guard.integrations import trackio_sink, wandb_sink
from tests.callbacks.tracked_runs import wandb_records

ALERT = Alert("tail_gap above 0.2", "tail_gap", 0.3, 0.2, 0.01, 8, "critical", "30% is gone.")

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def test_wandb(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    wandb = pytest.importorskip("wandb", reason="wandb is not installed")
    sink = wandb_sink(most=2)
    with pytest.raises(CollapseGuardError, match="no run of wandb"):
        wandb_sink()(ALERT)
    wandb.init(mode="offline", dir=str(tmp_path), settings=wandb.Settings(silent=True))
    for _ in range(3):
        sink(ALERT)
    wandb.finish()
    alerts = [r.alert for r in wandb_records(tmp_path) if r.WhichOneof("record_type") == "alert"]
    told = ("tail_gap above 0.2", "Step 8: 30% is gone.", "ERROR")
    assert [(alert.title, alert.text, alert.level) for alert in alerts] == [told] * 2
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
