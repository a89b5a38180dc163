"""A loop of one's own under FSDP2: all processes score through the root, and leave no trace."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from transformers import PreTrainedModel

from collapse_guard import CollapseMonitor, EveryNSteps, Sampling
from collapse_guard.errors import PeerError, ScoringError
from collapse_guard.model.undisturbed import undisturbed
from tests.forking import WORLD
from tests.paces import Scripted
from tests.processes import on_processes
from tests.tiny import tiny_gpt2, tiny_panel, zipf_documents

STEPS = 4
SAMPLING = Sampling(num_free=4, num_prompts=2, samples_per_prompt=2, prompt_length=8, length=8)
ROWS = torch.tensor(zipf_documents(32, length=16, seed=9))

Look = Callable[[PreTrainedModel, int], object]


def sharded_model() -> PreTrainedModel:
    model = tiny_gpt2(dropout=0.1).train()
    mesh = init_device_mesh("cpu", (WORLD,))
    for block in model.transformer.h:
        fully_shard(block, mesh=mesh)
    return fully_shard(model, mesh=mesh)


def whole(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def state_of(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    return {name: whole(value.detach()) for name, value in model.state_dict().items()}


def train(between: Look, after: Look) -> tuple[PreTrainedModel, list[Any]]:
    """A model that is looked at after each backward pass, and after each step."""
    torch.manual_seed(dist.get_rank())
    model = sharded_model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    losses = []
    for step in range(1, STEPS + 1):
        mine = ROWS[step * WORLD + dist.get_rank()][None]
        loss = model(mine, labels=mine).loss
        optimizer.zero_grad()
        loss.backward()
        between(model, step)
        optimizer.step()
        after(model, step)
        losses.append(loss.item())
    # With dropout the losses tell of the random state too.
    traces = [losses, {name: value.tolist() for name, value in state_of(model).items()}]
    return model, traces


def no_look(model: PreTrainedModel, step: int) -> None:
    pass


def monitor_of(windows: dict[int, int]) -> CollapseMonitor:
    monitor = CollapseMonitor(
        tiny_panel(documents=5),
        rules=[],
        pace=EveryNSteps(1),
        batch_size=4,
        sampling=SAMPLING,
    )
    monitor._run.schedule = Scripted(windows)
    return monitor


WINDOWS = {1: 1, 2: 2, 3: 15, 4: 7}


def watched(folder: str) -> dict[str, Any]:
    """What is read of each step's weights, which are saved, and what becomes of the training."""
    monitor, told = monitor_of(WINDOWS), []

    def look(model: PreTrainedModel, step: int) -> None:
        ask = monitor.observe if monitor.started else monitor.start
        told.append(dict(ask(model, step)))
        sharded = [isinstance(parameter, DTensor) for parameter in model.parameters()]
        assert all(sharded)
        weights = state_of(model)
        if dist.get_rank() == 0:
            torch.save(weights, f"{folder}/{len(told) - 1}.pt")

    _, traces = train(look, look)
    _, untouched = train(no_look, no_look)
    return {"told": told, "neutral": traces == untouched}


def failing() -> dict[str, Any]:
    """How looks end that fail, and what becomes of the training."""
    monitor, ends = monitor_of(dict.fromkeys(range(1, STEPS + 1), 15)), []
    failures: dict[str, bool] = {"nan": False, "error": False}

    def spoil(module: Any, args: Any, output: Any) -> Any:
        # The second process alone, after the pass: the first still needs it for its own passes.
        if failures["nan"] and dist.get_rank() == 1 and not module.training:
            output.logits = torch.full_like(output.logits, torch.nan)
        return output

    def break_down(module: Any, args: Any) -> None:
        # Half-way, and on all processes, as when memory ends.
        if failures["error"] and not module.training:
            raise torch.OutOfMemoryError("out of memory")

    def look(model: PreTrainedModel, step: int) -> None:
        if not monitor.started:
            monitor.start(model)
            model.register_forward_hook(spoil)
            model.transformer.h[1].register_forward_pre_hook(break_down)
        failures.update(nan=step == 1, error=step == 2)
        try:
            monitor.observe(model, step)
            ends.append("fine")
        except (PeerError, ScoringError, torch.OutOfMemoryError) as error:
            ends.append(type(error).__name__)

    _, traces = train(look, look)
    _, untouched = train(no_look, no_look)
    return {"ends": ends, "neutral": traces == untouched}


def gathered_without_us() -> bool:
    """Whether a plain pass leaves the root gathered, which looks have to see to."""
    model = sharded_model()
    with torch.no_grad():
        model(ROWS[:1])
    left = not all(isinstance(parameter, DTensor) for parameter in model.parameters())
    with undisturbed(model):
        model(ROWS[:1])
    return left and all(isinstance(parameter, DTensor) for parameter in model.parameters())


def work(folder: str) -> dict[str, Any]:
    return {
        **watched(folder),
        "failing": failing(),
        "gathered_without_us": gathered_without_us(),
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sharded")


@pytest.fixture(scope="module")
def results(folder: Path) -> list[dict[str, Any]]:
    return on_processes(work, folder, str(folder))


@pytest.mark.slow
def test_readings_are_those_of_one_process(results: list[dict[str, Any]], folder: Path) -> None:
    first, second = results
    assert first["told"] == second["told"]
    assert len(first["told"]) == 2 * STEPS
    monitor, model = monitor_of(WINDOWS), tiny_gpt2()
    for number, together in enumerate(first["told"]):
        model.load_state_dict(torch.load(folder / f"{number}.pt"))
        ask = monitor.observe if number else monitor.start
        alone = ask(model, number // 2 + 1)
        assert set(together) == set(alone)
        assert together == pytest.approx(dict(alone), rel=1e-5, abs=1e-5, nan_ok=True)
    assert monitor.history[-1]["tail_retention"] != pytest.approx(1.0, abs=1e-3)
    assert "free_distinct_2" in monitor.history[-1]


@pytest.mark.slow
def test_training_is_bit_identical(results: list[dict[str, Any]]) -> None:
    for result in results:
        assert result["neutral"]
        assert result["gathered_without_us"]


@pytest.mark.slow
def test_failures_hold_up_nobody_and_harm_nothing(results: list[dict[str, Any]]) -> None:
    first, second = (result["failing"] for result in results)
    assert first["ends"] == ["PeerError"] * 2 + ["OutOfMemoryError"] * 2 + ["fine"] * 4
    assert second["ends"] == ["ScoringError"] * 2 + ["OutOfMemoryError"] * 2 + ["fine"] * 4
    assert first["neutral"]
    assert second["neutral"]
