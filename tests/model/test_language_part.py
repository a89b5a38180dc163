"""The language model inside of a module, and the context that its calls are made in."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch

from collapse_guard.errors import ArgumentError
from collapse_guard.model.forward import accepts, innermost
from collapse_guard.model.language_part import InContext, obvious_model
from tests.tiny import VOCAB, tiny_gpt2


def holder(**parts: torch.nn.Module) -> torch.nn.Module:
    module = torch.nn.Module()
    for name, part in parts.items():
        module.add_module(name, part)
    return module


def bare() -> torch.nn.Module:
    """A language model that says nothing about itself."""
    return torch.nn.Sequential(torch.nn.Embedding(VOCAB, 8), torch.nn.Linear(8, VOCAB))


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({"lm": bare(), "loss": torch.nn.CrossEntropyLoss()}, "lm"),
        ({"probe": torch.nn.Linear(2, 2), "lm": tiny_gpt2()}, "lm"),
        ({"policy": tiny_gpt2(), "frozen": tiny_gpt2(seed=1).requires_grad_(False)}, "policy"),
    ],
)
def test_the_obvious_one_is_found(parts: dict[str, torch.nn.Module], expected: str) -> None:
    assert obvious_model(holder(**parts)) is parts[expected]


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"body": torch.nn.Linear(2, 2), "head": torch.nn.Linear(2, 2)},
        {"first": tiny_gpt2(), "second": tiny_gpt2()},
    ],
    ids=["none", "parts", "two"],
)
def test_one_that_is_not_obvious_is_asked_for(parts: dict[str, torch.nn.Module]) -> None:
    with pytest.raises(ArgumentError, match="which part of Module is the language model"):
        obvious_model(holder(**parts))


def test_calls_go_into_the_context_and_it_is_made_anew_for_each() -> None:
    entered: list[str] = []

    @contextmanager
    def context() -> Iterator[None]:
        entered.append("in")
        yield
        entered.append("out")

    inside = tiny_gpt2().eval()
    model = InContext(inside, context)
    ids = torch.tensor([[1, 2, 3]])
    for _ in range(2):
        assert torch.equal(model(ids).logits, inside(ids).logits)
    assert entered == ["in", "out"] * 2
    assert model.model is inside is innermost(model)
    assert model.config is inside.config
    assert accepts(model, "logits_to_keep")
    assert not model.training
