import random

import numpy as np
import pytest
import torch

from collapse_guard.neutrality import undisturbed
from tests.tiny import tiny_gpt2


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
