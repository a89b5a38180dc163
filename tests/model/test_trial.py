"""What cannot be put back is found out before the first reading."""

from typing import Any
from unittest import mock

import pytest
import torch

from collapse_guard import CollapseMonitor, EveryNSteps
from collapse_guard.errors import UnwatchableError
from collapse_guard.model.trial import check_leaves_no_trace
from tests.model.test_kept_state import KINDS
from tests.tiny import tiny_gpt2, tiny_panel

IDS = torch.arange(16)[None]
NAME = "collapse_guard.model.trial"


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "attention by length"])
@pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm` is deprecated")
def test_models_that_keep_state_in_modules_pass(kind: str) -> None:
    torch.manual_seed(0)
    model = KINDS[kind]()
    before = {name: values.clone() for name, values in model.state_dict().items()}
    check_leaves_no_trace(model, IDS)
    assert all(torch.equal(values, before[name]) for name, values in model.state_dict().items())


class Memory:
    """Of calls, in an object that a module refers to."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, module: Any, arguments: Any, output: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return output * (1 + 1e-3 * self.calls)


def test_a_hook_that_counts_in_a_closure_is_found_out() -> None:
    model = tiny_gpt2()
    model.transformer.ln_f.register_forward_hook(Memory())
    with pytest.raises(UnwatchableError, match="a look would change the training"):
        check_leaves_no_trace(model, IDS)


@pytest.mark.parametrize("is_training", [True, False])
def test_what_only_training_sees_is_found_out(is_training: bool) -> None:
    """A count of looks that acts in training mode alone: two looks are alike.

    A model that was just loaded is in evaluation mode until its trainer's first step.
    """
    model, memory = tiny_gpt2(), Memory()

    def hook(module: Any, arguments: Any, output: torch.Tensor) -> torch.Tensor:
        if module.training:
            return output * (1 + 1e-3 * memory.calls)
        memory.calls += 1
        return output

    model.train(is_training).transformer.ln_f.register_forward_hook(hook)
    with pytest.raises(UnwatchableError, match="a look would change the training"):
        check_leaves_no_trace(model, IDS)
    assert all(each.training == is_training for each in model.modules())


def test_random_numbers_from_nowhere_are_found_out() -> None:
    model, hidden = tiny_gpt2(), torch.Generator().manual_seed(0)

    def hook(module: Any, arguments: Any, output: torch.Tensor) -> torch.Tensor:
        return output + torch.randn(output.shape, generator=hidden)

    model.transformer.ln_f.register_forward_hook(hook)
    with pytest.raises(UnwatchableError, match="draws random numbers"):
        check_leaves_no_trace(model, IDS)


def test_dropout_is_no_trace() -> None:
    model = tiny_gpt2(dropout=0.5).train()
    state = torch.get_rng_state()
    check_leaves_no_trace(model, IDS)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(module.training for module in model.modules())


def test_a_model_that_wants_more_in_training_is_looked_at_all_the_same() -> None:
    class Wants(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = tiny_gpt2()

        def forward(self, input_ids: torch.Tensor) -> Any:
            if self.training:
                raise ValueError("token_type_ids are required in training")
            return self.inner(input_ids)

    check_leaves_no_trace(Wants().train(), IDS)


def test_a_monitor_does_not_start_on_such_a_model() -> None:
    model = tiny_gpt2()
    model.transformer.ln_f.register_forward_hook(Memory())
    monitor = CollapseMonitor(tiny_panel(), pace=EveryNSteps(1), sampling=None)
    with pytest.raises(UnwatchableError, match="a look would change the training"):
        monitor.start(model)
    assert not monitor.started


def test_a_model_that_is_not_made_yet_is_left_to_its_training() -> None:
    class Lazy(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embeddings = torch.nn.Embedding(16, 8)
            self.layer = torch.nn.LazyLinear(16)

        def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
            return self.layer(self.embeddings(input_ids))

    model = Lazy()
    with pytest.raises(UnwatchableError, match=r"lazy parameters.*Run one batch through it"):
        check_leaves_no_trace(model, IDS)
    assert torch.nn.parameter.is_lazy(model.layer.weight)
    model(IDS)
    check_leaves_no_trace(model, IDS)


@pytest.mark.filterwarnings("ignore:`torch.jit.trace")
def test_a_model_whose_state_torchscript_hides_is_refused() -> None:
    table = torch.nn.Embedding(16, 16)
    traced = torch.jit.trace(table, IDS, check_trace=False)
    with pytest.raises(UnwatchableError, match="TorchScript"):
        check_leaves_no_trace(torch.nn.Sequential(traced), IDS)


def test_a_model_that_gives_more_from_call_to_call_is_found_out() -> None:
    model, calls = torch.nn.Embedding(16, 16), []

    def hook(module: Any, arguments: Any, output: torch.Tensor) -> torch.Tensor:
        calls.append(1)
        return torch.cat([output, output[..., : len(calls)]], dim=-1)

    model.register_forward_hook(hook)
    with pytest.raises(UnwatchableError, match="a look would change the training"):
        check_leaves_no_trace(model, IDS)


@pytest.mark.parametrize(("off_by", "is_told"), [(0.0, False), (5e-6, False), (2e-5, True)])
def test_rounding_of_an_accelerator_is_no_trace(off_by: float, is_told: bool) -> None:
    """A device of which the CPU says that it is one, as sums come out otherwise there each time."""
    model, calls = torch.nn.Embedding(16, 16), []
    with torch.no_grad():
        model.weight.copy_(torch.linspace(-100.0, 40.0, 256).view(16, 16))

    def hook(module: Any, arguments: Any, output: torch.Tensor) -> torch.Tensor:
        calls.append(1)
        # As much as such a share of the largest logit, in one place of each row.
        output = output.clone()
        output[..., 3] += off_by * 100.0 * (len(calls) % 2)
        output[..., 4] = torch.nan
        return output

    model.register_forward_hook(hook)

    def check(device: str) -> str:
        with mock.patch(f"{NAME}.device_of", return_value=torch.device(device)):
            try:
                check_leaves_no_trace(model, IDS)
            except UnwatchableError:
                return "told"
        return "passed"

    assert check("cuda") == ("told" if is_told else "passed")
    # On the CPU sums have an order, and equal passes are equal.
    assert check("cpu") == ("told" if off_by else "passed")
