import random
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist

from collapse_guard import Sampling
from collapse_guard.model.undisturbed import undisturbed
from collapse_guard.readings.panel_sums import score_panel
from collapse_guard.readings.sampling import draw_samples
from tests.tiny import tiny_gpt2, tiny_panel


def random_states() -> tuple[object, ...]:
    name, keys, *rest = np.random.get_state()
    return random.getstate(), name, keys.tolist(), rest, torch.get_rng_state().tolist()


def test_everything_is_put_back_even_after_an_error() -> None:
    model = tiny_gpt2(dropout=0.1).train()
    model.transformer.h[0].eval()
    modes = {name: module.training for name, module in model.named_modules()}
    wanting = [parameter.requires_grad for parameter in model.parameters()]
    states = random_states()

    def look() -> None:
        with undisturbed(model):
            assert not any(module.training for module in model.modules())
            assert not torch.is_grad_enabled()
            torch.rand(3), np.random.rand(3), random.random()
            raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"):
        look()
    assert {name: module.training for name, module in model.named_modules()} == modes
    assert [parameter.requires_grad for parameter in model.parameters()] == wanting
    assert random_states() == states
    assert torch.is_grad_enabled()


def test_modules_that_act_on_train_are_not_called() -> None:
    class Merges(torch.nn.Linear):
        calls = 0

        def train(self, mode: bool = True) -> "Merges":
            self.calls += 1
            return super().train(mode)

    model = Merges(2, 2)
    with undisturbed(model):
        assert not model.training
    assert model.training
    assert model.calls == 0


def test_tensors_made_inside_may_enter_a_graph() -> None:
    model = torch.nn.Linear(2, 2)
    with undisturbed(model):
        made = torch.ones(2)
    assert not made.is_inference()


@dataclass(eq=False)
class Book:
    """Of calls; in an object of its own, as lists in a module are put back."""

    calls: list[str] = field(default_factory=list)


class OldSharded(torch.nn.Linear):
    """What `fully_shard` makes of a layer, as far as we know of it, before torch 2.13."""

    def __init__(self) -> None:
        super().__init__(2, 2)
        self.book = Book()

    def unshard(self) -> None:
        self.book.calls.append("unshard")

    def reshard(self) -> None:
        self.book.calls.append("reshard")


class Sharded(OldSharded):
    def reset_iter_state(self) -> None:
        self.book.calls.append("reset")


def sharded_model(kind: type[OldSharded]) -> torch.nn.Module:
    """Two roots in a plain module, the first with a sharded part."""
    first = kind()
    first.part = torch.nn.Sequential(kind())
    return torch.nn.Sequential(first, torch.nn.Linear(2, 2), kind())


def calls(model: torch.nn.Module) -> list[list[str]]:
    return [module.book.calls for module in model.modules() if isinstance(module, OldSharded)]


def test_what_is_gathered_is_let_go_of() -> None:
    model = sharded_model(Sharded)
    with undisturbed(model):
        assert calls(model) == [[], [], []]
    assert calls(model) == [["reshard"]] * 3


@pytest.mark.parametrize("kind", [OldSharded, Sharded])
def test_a_pass_that_failed_half_way_is_given_up_at_the_roots(kind: type[OldSharded]) -> None:
    model = sharded_model(kind)

    def look() -> None:
        with undisturbed(model):
            raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"):
        look()
    reset = ["reset"] if kind is Sharded else []
    assert calls(model) == [[*reset, "reshard"], ["reshard"], [*reset, "reshard"]]


def test_the_books_of_data_parallel_training_are_left_alone(tmp_path: Path) -> None:
    model = tiny_gpt2()
    model.register_buffer("seen", torch.zeros(1))
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/me", rank=0, world_size=1)
    try:
        parallel = torch.nn.parallel.DistributedDataParallel(model)
        score_panel(parallel, tiny_panel())
        draw_samples(parallel, tiny_panel(), Sampling(num_free=3, num_prompts=2, length=8))
        # Its own forward pass would have noted that buffers need no sending before the next.
        assert parallel.require_forward_param_sync
        assert parallel.training
    finally:
        dist.destroy_process_group()


def test_what_parameters_want_and_have_of_gradients_is_put_back() -> None:
    model = torch.nn.Linear(2, 2)
    model.bias.requires_grad_(False)
    model.weight.grad = gradient = torch.ones(2, 2)
    with undisturbed(model):
        model.weight.requires_grad_(False)
        model.bias.requires_grad_(True)
        model.weight.grad, model.bias.grad = None, torch.ones(2)
    assert (model.weight.requires_grad, model.bias.requires_grad) == (True, False)
    assert model.weight.grad is gradient
    assert model.bias.grad is None
