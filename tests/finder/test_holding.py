"""After a model was held, it is what it was, to the bit."""

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import RwkvConfig, RwkvForCausalLM

from collapse_guard.errors import ArgumentError
from collapse_guard.finder.holding import ModelState, held
from collapse_guard.random_states import random_states
from tests.callbacks.witness import digest
from tests.finder.markov import TYPES, Chain, learnt_chain
from tests.tiny import tiny_gpt2


class Normed(torch.nn.Module):
    """Has batch normalization, whose buffers move, and a part that the user froze."""

    def __init__(self) -> None:
        super().__init__()
        self.body = torch.nn.Embedding(TYPES, 8)
        self.norm = torch.nn.BatchNorm1d(8)
        self.head = torch.nn.Linear(8, TYPES)
        self.body.requires_grad_(False).eval()

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        return self.head(self.norm(self.body(input_ids).transpose(1, 2)).transpose(1, 2))


def lora_gpt2() -> torch.nn.Module:
    adapters = LoraConfig(
        r=2,
        lora_dropout=0.5,
        target_modules=["c_attn"],
        fan_in_fan_out=True,
        task_type="CAUSAL_LM",
    )
    with torch.random.fork_rng(devices=[]):
        return get_peft_model(tiny_gpt2(dropout=0.1), adapters)


MODELS: dict[str, Callable[[], torch.nn.Module]] = {
    "dropout and a moving buffer": lambda: learnt_chain(dropout=0.3),
    "batch normalization, partly frozen": Normed,
    "LoRA": lora_gpt2,
    "in evaluation mode": lambda: tiny_gpt2(dropout=0.1).eval(),
    "tied weights": tiny_gpt2,
}


def state(model: torch.nn.Module) -> dict[str, Any]:
    return {
        "tensors": [id(each) for each in (*model.parameters(), *model.buffers())],
        "values": digest([*model.parameters(), *model.buffers()]),
        "gradients": [id(each.grad) for each in model.parameters()],
        "gradients' values": digest([each.grad for each in model.parameters()]),
        "modes": [module.training for module in model.modules()],
        "requires_grad": [each.requires_grad for each in model.parameters()],
        "hooks": [bool(each._post_accumulate_grad_hooks) for each in model.parameters()],
        "random states": random_states(),
        "gradients are taken": torch.is_grad_enabled(),
    }


def train(model: torch.nn.Module, steps: int = 3) -> None:
    trained = [each for each in model.parameters() if each.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=0.1)
    for _ in range(steps):
        output = model(torch.randint(TYPES, (4, 6)))
        getattr(output, "logits", output).square().mean().backward()
        optimizer.step()
    random.random(), np.random.rand()


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("fails", [False, True], ids=["", "raising"])
def test_everything_is_put_back(make: Callable[[], torch.nn.Module], fails: bool) -> None:
    model = make()
    for number, parameter in enumerate(model.parameters()):
        if number % 2:
            parameter.grad = torch.full_like(parameter, 0.5)
    before = state(model)

    def disturb() -> None:
        with held(model):
            assert all(parameter.grad is None for parameter in model.parameters())
            train(model)
            for parameter in model.parameters():
                parameter.requires_grad_()
            next(model.parameters()).register_post_accumulate_grad_hook(lambda _: None)
            for module in model.modules():
                module.training = not module.training
            assert state(model)["values"] != before["values"]
            if fails:
                raise ZeroDivisionError

    if fails:
        with pytest.raises(ZeroDivisionError):
            disturb()
    else:
        disturb()
    after = state(model)
    assert [name for name in before if after[name] != before[name]] == []


def test_it_trains_also_where_gradients_are_off_and_a_model_in_evaluation_mode() -> None:
    model = tiny_gpt2().eval()
    with torch.no_grad(), held(model):
        assert torch.is_grad_enabled()
        assert all(module.training for module in model.modules())
        train(model)


def test_a_part_that_the_user_froze_in_evaluation_mode_stays_so() -> None:
    model = Normed().train()
    model.norm.eval()
    with held(model):
        assert model.training
        assert not model.norm.training


def test_the_start_can_be_put_back_inside_as_often_as_one_likes() -> None:
    model = learnt_chain()
    before = digest([*model.parameters(), *model.buffers()])
    with held(model) as start:
        for _ in range(2):
            train(model)
            start.put_back()
            assert digest([*model.parameters(), *model.buffers()]) == before


def test_a_state_knows_what_it_takes_and_leaves_frozen_weights_out() -> None:
    model = Normed()
    trained = 8 * TYPES + TYPES + 8 + 8
    buffers = 8 + 8
    assert ModelState(model).num_bytes == 4 * (trained + buffers) + 8


def test_stale_copies_in_lower_precision_are_not_used_again() -> None:
    model, ids = learnt_chain(), torch.arange(TYPES)[None]
    model.out = torch.nn.Linear(TYPES, TYPES)
    with torch.autocast("cpu", torch.bfloat16), held(model) as start:
        first = model.out(model(ids))
        with torch.no_grad():
            model.out.weight.add_(1.0)
        start.put_back()
        assert torch.equal(model.out(model(ids)), first)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Chain().requires_grad_(False), "parameters that require gradients"),
        (
            lambda: RwkvForCausalLM(
                RwkvConfig(
                    vocab_size=9, hidden_size=8, attention_hidden_size=8, num_hidden_layers=2
                )
            ),
            "leaves its own weights alone in evaluation mode, but got 'rescale_every=6'",
        ),
    ],
)
def test_models_that_cannot_be_put_back_or_trained_are_refused(
    make: Callable[[], torch.nn.Module], message: str
) -> None:
    with pytest.raises(ArgumentError, match=message), held(make()):
        pass


def test_a_model_whose_optimizer_steps_in_the_backward_pass_is_refused() -> None:
    model = Chain()
    model.table.weight.register_post_accumulate_grad_hook(lambda _: None)
    with pytest.raises(ArgumentError, match="without hooks on their gradients"), held(model):
        pass
    assert model.table.weight._post_accumulate_grad_hooks
