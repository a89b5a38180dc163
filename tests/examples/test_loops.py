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
from tests.sizes import sized
from tests.tiny import BRIEF

LOOKS = re.compile(r"^step +(\d+)  tail retention (\d\.\d+) ± \d\.\d+$", re.MULTILINE)
END = re.compile(r"^end  overhead (\d+\.\d)%(?:  processes (\d))?$", re.MULTILINE)
TWO_BY_ACCELERATE = (
    # `--cpu` starts one process, whatever number is asked for; this is how it starts two.
    *("accelerate", "launch", "--multi_gpu"),
    *("--num_processes", "2", "--main_process_port", "0"),
)
TWO_BY_TORCHRUN = ("torchrun", "--standalone", "--nproc-per-node", "2")


def run(*arguments: str) -> str:
    # The environment's own scripts, wherever pytest was started from.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        arguments,
        cwd=ROOT,
        env={**os.environ, "PATH": path, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def check(output: str, processes: str) -> list[int]:
    """Holds what any run of 40 steps tells, and returns the steps of its looks in between."""
    first, *looks, last = [(int(step), float(told)) for step, told in LOOKS.findall(output)]
    assert first == (0, 1.0)
    end, retention = last
    assert end == 40
    # Training on its own text loses the tail, or else the example shows nothing.
    assert retention < 0.95
    ((overhead, told),) = END.findall(output)
    assert float(overhead) > 0
    assert told == processes
    return [step for step, _ in looks]


# Each program starts anew, as a user starts it, and imports for seconds before it does anything.
ALONE = {
    "plain": ((sys.executable,), "plain_pytorch", ""),
    "accelerate": ((sys.executable,), "with_accelerate", "1"),
}
LOOPS = {
    **sized(short={}, long=ALONE),
    "ignite": ((sys.executable,), "with_ignite", ""),
    "two processes": (TWO_BY_ACCELERATE, "with_accelerate", "2"),
}


@pytest.mark.slow
@pytest.mark.parametrize(("launcher", "module", "processes"), LOOPS.values(), ids=LOOPS)
def test_a_loop_tells_what_is_lost(launcher: Sequence[str], module: str, processes: str) -> None:
    module = f"collapse_guard.examples.loops.{module}"
    output = run(*launcher, "-m", module, "--steps", "40", "--every", "10")
    assert check(output, processes) == [10, 20, 30]
    assert "critical: tail_retention is" in output


@pytest.mark.slow
def test_a_loop_looks_as_often_as_a_share_of_its_time_allows() -> None:
    module = "collapse_guard.examples.loops.plain_pytorch"
    between = check(run(sys.executable, "-m", module, "--steps", "40"), processes="")
    # Which steps these are is the machine's affair.
    assert between == sorted(set(between))
    assert set(between) <= set(range(1, 41))


LAUNCHERS = {
    **sized(short={}, long={"alone": ((sys.executable,), 1), "accelerate": (TWO_BY_ACCELERATE, 2)}),
    "torchrun": (TWO_BY_TORCHRUN, 2),
}


@pytest.mark.slow
@pytest.mark.parametrize(("launcher", "processes"), LAUNCHERS.values(), ids=LAUNCHERS)
def test_a_trainer_tells_once_what_is_lost(launcher: Sequence[str], processes: int) -> None:
    module = "collapse_guard.examples.loops.with_trainer"
    output = run(*launcher, "-m", module, "--steps", "40")
    assert f"on {processes} processes" in output
    assert output.count("collapse_guard watches") == 1
    (kept,) = re.findall(r"^kept (\d+)% of the tail .* to step 40;", output, re.MULTILINE)
    assert int(kept) < 50
    assert output.count("ALARM at step") == 1


@pytest.mark.slow
def test_an_alert_saves_and_stops(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    module = "collapse_guard.examples.loops.plain_pytorch"
    actions = ("--on-alert", "save_and_stop", "--checkpoint", str(path))
    # Looks that a machine's time paces may, on a busy one, be too few for an alert.
    output = run(sys.executable, "-m", module, "--steps", "200", "--every", "10", *actions)
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
