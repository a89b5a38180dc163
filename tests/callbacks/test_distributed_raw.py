"""A loop of one's own under `DistributedDataParallel`: readings as on one process, and no hang."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist
from peft import LoraConfig, get_peft_model
from torch.nn.parallel import DistributedDataParallel

from collapse_guard import (
    ArgumentError,
    Budget,
    CollapseMonitor,
    EveryNSteps,
    HeldOutPanel,
    Sampling,
    Threshold,
)
from collapse_guard.errors import PeerError, ScoringError
from collapse_guard.readings.reading import Reading
from tests.callbacks.watched_runs import even_track
from tests.forking import WORLD
from tests.looks import ON_HUMAN_TEXT
from tests.paces import Scripted
from tests.processes import on_processes, uneven_clock
from tests.tiny import BRIEF, tiny_gpt2, tiny_panel, zipf_documents

STEPS = 4
SAMPLING = Sampling(num_free=4, num_prompts=2, samples_per_prompt=2, prompt_length=8, length=8)
ROWS = torch.tensor(zipf_documents(32, length=16, seed=9))

PANELS = {
    # Pieces come out even, or one process has one more, or the panel is smaller than a batch each.
    "12_by_3": (tiny_panel(documents=4), 3),
    "15_by_4": (tiny_panel(documents=5), 4),
    "3_by_1": (tiny_panel(documents=3, window=60), 1),
    "2_by_16": (tiny_panel(documents=2, window=60), 16),
}


def adapted_model() -> torch.nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = get_peft_model(
            tiny_gpt2(),
            LoraConfig(r=2, target_modules=["c_attn"], fan_in_fan_out=True),
        )
    # So that buffers are there, which the wrapper's forward pass sends to the other processes.
    model.register_buffer("seen", torch.zeros(1))
    return model


def monitor_of(panel: HeldOutPanel, batch_size: int, **arguments: Any) -> CollapseMonitor:
    """Looks at 1 window, at 2, at all, at all but one."""
    settings = {"rules": [Threshold("perplexity", above=0.0, alpha=None)], "rules_wait": False}
    settings |= {"against_base": True, "control": even_track(panel), "sampling": None}
    monitor = CollapseMonitor(
        panel,
        pace=EveryNSteps(1),
        batch_size=batch_size,
        **{**settings, **arguments},
    )
    monitor._run.schedule = Scripted({1: 1, 2: 2, 3: len(panel), 4: len(panel) - 1})
    return monitor


def all_monitors() -> dict[str, CollapseMonitor]:
    monitors = {name: monitor_of(*panel) for name, panel in PANELS.items()}
    return {**monitors, "sampling": monitor_of(*PANELS["12_by_3"], sampling=SAMPLING)}


def numbers(reading: Reading) -> dict[str, list[float]]:
    return {name: [reading[name], reading.standard_errors[name]] for name in reading}


def watched(states: Iterator[torch.nn.Module]) -> dict[str, Any]:
    """What all monitors read of a model before and after each of its steps."""
    monitors = all_monitors()
    told: dict[str, Any] = {name: [] for name in monitors}
    for step, model in enumerate(states):
        for name, monitor in monitors.items():
            look = monitor.observe if step else monitor.start
            told[name].append(numbers(look(model, step)))
    alerts = {name: [str(each) for each in monitors[name].alerts] for name in monitors}
    return {"told": told, "alerts": alerts}


def training(model: torch.nn.Module, folder: str) -> Iterator[torch.nn.Module]:
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for step in range(STEPS + 1):
        if step:
            mine = ROWS[step * WORLD + dist.get_rank()][None]
            optimizer.zero_grad()
            model(input_ids=mine, labels=mine).loss.backward()
            optimizer.step()
        if dist.get_rank() == 0:
            torch.save(model.module.state_dict(), f"{folder}/{step}.pt")
        yield model


def saved(folder: Path) -> Iterator[torch.nn.Module]:
    model = adapted_model()
    for step in range(STEPS + 1):
        model.load_state_dict(torch.load(folder / f"{step}.pt"))
        yield model


class Faulty(torch.nn.Module):
    """A model that fails in some looks, on one process alone."""

    def __init__(self) -> None:
        super().__init__()
        self.net = tiny_gpt2()
        self.register_buffer("seen", torch.zeros(1))
        self.fault = "none"

    def forward(self, input_ids: torch.Tensor, labels: torch.Tensor | None = None) -> Any:
        fault = self.fault if dist.get_rank() == 1 and not self.training else "none"
        if fault == "error":
            raise ValueError("broken on the second process")
        output = self.net(input_ids=input_ids, labels=labels)
        if fault == "nan":
            output.logits = torch.full_like(output.logits, torch.nan)
        return output


def failing_looks() -> dict[str, Any]:
    """How looks end, and whether the training goes on as if nothing had been."""

    def run(faults: list[str]) -> tuple[list[str], list[float]]:
        faulty = Faulty()
        model = DistributedDataParallel(faulty)
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
        monitor = CollapseMonitor(
            tiny_panel(documents=4), rules=[], pace=EveryNSteps(1), batch_size=2, sampling=None
        )
        monitor.start(model)
        monitor._run.schedule = Scripted({step: 3 if step % 2 else 12 for step in range(1, 10)})
        ends, losses = [], []
        for step, fault in enumerate(faults, start=1):
            mine = ROWS[step * WORLD + dist.get_rank()][None]
            optimizer.zero_grad()
            loss = model(mine, labels=mine).loss
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            faulty.fault = fault
            try:
                ends.append(f"{monitor.observe(model, step)['tail_retention']:.12f}")
            except (ValueError, PeerError, ScoringError) as error:
                ends.append(type(error).__name__)
        return ends, losses

    faults = ["error", "error", "nan", "nan", "none", "none"]
    ends, losses = run(faults)
    healthy_ends, healthy_losses = run(["none"] * len(faults))
    return {
        "ends": ends,
        "unharmed": losses == healthy_losses and ends[-1:] == healthy_ends[-1:],
    }


def steps_looked_at_in_time() -> list[int]:
    """The steps that a budget allows, on processes that see different times."""
    model, looks = tiny_gpt2(), []
    monitor = CollapseMonitor(
        tiny_panel(documents=4), rules=[], pace=Budget(0.5), batch_size=2, sampling=None
    )
    with uneven_clock(monitor) as clock:
        monitor.start(model)
        for step in range(1, 61):
            clock.train()
            if monitor.observe(model, step):
                looks.append(step)
    return looks


def unlike_panels() -> str:
    panel = tiny_panel(documents=4 + dist.get_rank())
    try:
        CollapseMonitor(panel, sampling=BRIEF).start(tiny_gpt2())
    except ArgumentError as error:
        return str(error)
    return "accepted"


def unlike_tracks() -> str:
    panel = tiny_panel(documents=4)
    track = even_track(panel)
    track.add(2000 + dist.get_rank(), *np.zeros((2, len(panel))))
    try:
        CollapseMonitor(panel, control=track, sampling=BRIEF).start(tiny_gpt2())
    except ArgumentError as error:
        return str(error)
    return "accepted"


def saved_tracks(folder: str) -> list[str]:
    """Which files are there when a process that does not write has been told to."""
    monitor = CollapseMonitor(tiny_panel(documents=4), sampling=BRIEF)
    monitor.start(tiny_gpt2())
    monitor.save_track(f"{folder}/track_of_{dist.get_rank()}.npz")
    dist.barrier()
    return sorted(path.name for path in Path(folder).glob("track*"))


class ReadsAlone(torch.nn.Module):
    """A model that reads rows of the panel, and on the second process nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = tiny_gpt2()

    def forward(self, input_ids: torch.Tensor) -> Any:
        if dist.get_rank() == 1 and input_ids.shape[1] != 32:
            raise ValueError("rows of 32 tokens alone")
        return self.inner(input_ids)


def read_where_one_cannot_write() -> list[str]:
    monitor = CollapseMonitor(tiny_panel(documents=4), rules=[], sampling=BRIEF)
    return sorted(monitor.start(ReadsAlone()))


def work(folder: str) -> dict[str, Any]:
    model = DistributedDataParallel(adapted_model())
    return {
        **watched(training(model, folder)),
        "failing": failing_looks(),
        "looks": steps_looked_at_in_time(),
        "unlike_panels": unlike_panels(),
        "one_cannot_write": read_where_one_cannot_write(),
        "unlike_tracks": unlike_tracks(),
        "saved_tracks": saved_tracks(folder),
    }


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], ...]:
    folder = tmp_path_factory.mktemp("two_processes")
    first, second = on_processes(work, folder, str(folder))
    return first, second, watched(saved(folder))


@pytest.mark.slow
def test_readings_are_those_of_one_process(results: tuple[dict[str, Any], ...]) -> None:
    first, second, alone = results
    assert first["told"] == second["told"]
    for name, looks in alone["told"].items():
        for together, apart in zip(first["told"][name], looks, strict=True):
            assert set(together) == set(apart)
            assert "tail_retention_vs_base" in apart
            assert ("tail_retention_vs_control" in apart) == ("perplexity" in apart)
            for reading, expected in apart.items():
                assert together[reading] == pytest.approx(
                    expected, rel=1e-6, abs=1e-6, nan_ok=True
                ), (name, reading)
    # They did read something: the model moved, and each look read what it should.
    last = alone["told"]["sampling"][STEPS - 1]
    assert last["tail_retention"][0] != pytest.approx(1.0, abs=1e-3)
    assert "free_distinct_2" in last
    assert "perplexity" not in alone["told"]["sampling"][1]


@pytest.mark.slow
def test_there_is_one_set_of_alerts(results: tuple[dict[str, Any], ...]) -> None:
    first, second, alone = results
    assert first["alerts"] == second["alerts"]
    assert {name: len(told) for name, told in first["alerts"].items()} == {
        name: len(told) for name, told in alone["alerts"].items()
    }
    assert all(len(told) == 1 for told in alone["alerts"].values())


@pytest.mark.slow
def test_a_look_that_fails_on_one_process_is_given_up_on_all(
    results: tuple[dict[str, Any], ...],
) -> None:
    first, second, _ = (each.get("failing") for each in results)
    assert first["ends"][:4] == ["PeerError"] * 4
    assert second["ends"][:4] == ["ValueError", "ValueError", "ScoringError", "ScoringError"]
    assert first["ends"][4:] == second["ends"][4:]
    assert first["unharmed"]
    assert second["unharmed"]


@pytest.mark.slow
def test_processes_look_at_the_same_steps_although_their_clocks_differ(
    results: tuple[dict[str, Any], ...],
) -> None:
    first, second, _ = (each.get("looks") for each in results)
    assert first == second
    assert 3 < len(first) < 60


@pytest.mark.slow
def test_none_writes_where_one_cannot(results: tuple[dict[str, Any], ...]) -> None:
    for result in results[:2]:
        assert result["one_cannot_write"] == sorted(ON_HUMAN_TEXT)


@pytest.mark.slow
def test_panels_that_differ_are_refused(results: tuple[dict[str, Any], ...]) -> None:
    for result in results[:2]:
        assert "the same held-out text on every process" in result["unlike_panels"]


@pytest.mark.slow
def test_tracks_of_control_runs_that_differ_are_refused(
    results: tuple[dict[str, Any], ...],
) -> None:
    for result in results[:2]:
        assert "the same track on every process" in result["unlike_tracks"]


@pytest.mark.slow
def test_the_first_process_writes_the_track(results: tuple[dict[str, Any], ...]) -> None:
    assert [result["saved_tracks"] for result in results[:2]] == [["track_of_0.npz"]] * 2
