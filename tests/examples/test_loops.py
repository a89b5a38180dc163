"""The loops of one's own, run as a user runs them."""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from collapse_guard import CollapseMonitor
from collapse_guard.callbacks import WatchSession
from collapse_guard.examples.loops.tiny_language_model import (
    ROW,
    VOCAB_SIZE,
    TinyLanguageModel,
    human_text,
    next_token_loss,
    written_by,
)
from tests.packaging.layout import ROOT
from tests.tiny import BRIEF

LOOKS = re.compile(r"^step +(\d+)  tail retention (\d\.\d+) ± \d\.\d+$", re.MULTILINE)
END = re.compile(r"^end  overhead (\d+\.\d)%$", re.MULTILINE)


def run(*arguments: str) -> str:
    # The environment's own scripts, wherever pytest was started from.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        arguments,
        cwd=ROOT,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def check(output: str, steps: int) -> None:
    first, *looks, last = [(int(step), float(told)) for step, told in LOOKS.findall(output)]
    assert first == (0, 1.0)
    between = [step for step, _ in looks]
    assert between
    assert between == sorted(set(between))
    assert between[-1] <= steps
    end, retention = last
    assert end == steps
    # Training on its own text loses the tail, or else the example shows nothing.
    assert retention < 0.95
    (overhead,) = END.findall(output)
    assert float(overhead) > 0
    assert "critical: tail_retention is" in output


@pytest.mark.slow
@pytest.mark.parametrize(
    ("launcher", "module"),
    [
        ((sys.executable,), "collapse_guard.examples.loops.plain_pytorch"),
        ((sys.executable,), "collapse_guard.examples.loops.with_ignite"),
        ((sys.executable,), "collapse_guard.examples.loops.with_accelerate"),
        (
            ("accelerate", "launch", "--cpu", "--num_processes", "2", "--main_process_port", "0"),
            "collapse_guard.examples.loops.with_accelerate",
        ),
    ],
    ids=["plain", "ignite", "accelerate", "two processes"],
)
def test_a_loop_tells_what_is_lost(launcher: Sequence[str], module: str) -> None:
    check(run(*launcher, "-m", module, "--steps", "40"), steps=40)


@pytest.mark.slow
def test_an_alert_saves_and_stops(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    module = "collapse_guard.examples.loops.plain_pytorch"
    actions = ("--on-alert", "save_and_stop", "--checkpoint", str(path))
    output = run(sys.executable, "-m", module, "--steps", "200", *actions)
    checkpoint = torch.load(path, weights_only=True)
    step = checkpoint["step"]
    assert [int(looked) for looked, _ in LOOKS.findall(output)][-1] == step < 200
    # What was saved can be gone on with.
    model, monitor = TinyLanguageModel(), CollapseMonitor(human_text()[1], sampling=BRIEF)
    model.load_state_dict(checkpoint["model"])
    session = WatchSession(monitor, on_error="raise")
    session.load_state_dict(checkpoint["session"])
    session.start(model, step)
    assert [alert.step for alert in monitor.alerts] == [step] * len(monitor.alerts)
    assert f" at step {step}, " in output


def test_the_model_is_causal_and_can_be_watched() -> None:
    rows, panel = human_text()
    assert rows.shape[1] == ROW
    assert 0 <= int(rows.min()) <= int(rows.max()) < VOCAB_SIZE
    torch.manual_seed(0)
    model = TinyLanguageModel()
    changed = rows[:4].clone()
    changed[:, 20:] = 7
    assert torch.equal(model(rows[:4])[:, :20], model(changed)[:, :20])
    assert next_token_loss(model, rows[:4]).isfinite()
    reading = CollapseMonitor(panel, sampling=BRIEF).start(model)
    assert reading["tail_retention"] == 1.0
    # Untrained, it knows nothing of words: uniform but for the chances of its first weights.
    assert reading["perplexity"] == pytest.approx(VOCAB_SIZE, rel=0.25)


def test_what_the_model_writes_begins_as_human_rows_do() -> None:
    rows, _ = human_text()
    written = written_by(TinyLanguageModel(), rows, count=8)
    assert written.shape == (8, ROW)
    assert torch.equal(written[:, : ROW // 8], rows[:8, : ROW // 8])
    assert not torch.equal(written, rows[:8])
