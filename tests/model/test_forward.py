"""Models are called alike, whatever they are wrapped in and return."""

from types import SimpleNamespace

import pytest
import torch
from transformers import PreTrainedModel

from collapse_guard import ScoringError, token_logprobs
from collapse_guard.model.forward import innermost
from tests.tiny import VOCAB, tiny_llama

ROWS, TOKENS = 4, 12


def some_input(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    input_ids = torch.randint(0, VOCAB, (ROWS, TOKENS), generator=generator)
    positions = torch.rand(ROWS, TOKENS, generator=generator) < 0.3
    positions[:, 0] = False
    positions[2] = False
    return input_ids, positions


class FullLogits(torch.nn.Module):
    """Takes `logits_to_keep` and ignores it, or knows nothing of it."""

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        self.model = model


class Tuple(FullLogits):
    def forward(self, input_ids: torch.Tensor, **kwargs: object) -> tuple[torch.Tensor]:
        assert not kwargs
        return (self.model(input_ids).logits,)


def test_wrappers_are_looked_through() -> None:
    model = tiny_llama()
    compiled = torch.compile(model, backend="eager")
    assert innermost(compiled) is model
    assert innermost(torch.nn.DataParallel(model)) is model


def test_models_without_logits() -> None:
    class Encoder(torch.nn.Module):
        def forward(self, input_ids: torch.Tensor) -> object:
            return SimpleNamespace(last_hidden_state=input_ids.float())

    class Pooled(torch.nn.Module):
        def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
            return torch.zeros(len(input_ids), 7)

    input_ids, positions = some_input()
    with pytest.raises(ScoringError, match="without next-token logits"):
        token_logprobs(Encoder(), input_ids, positions)
    with pytest.raises(ScoringError, match=r"logits of shape \(4, 7\)"):
        token_logprobs(Pooled(), input_ids, positions)


def test_a_model_that_does_not_tell_its_embeddings() -> None:
    class Secretive(Tuple):
        def get_input_embeddings(self) -> torch.nn.Module:
            raise NotImplementedError

    model = tiny_llama()
    input_ids, positions = some_input()
    torch.testing.assert_close(
        token_logprobs(Secretive(model), input_ids, positions),
        token_logprobs(model, input_ids, positions),
    )
