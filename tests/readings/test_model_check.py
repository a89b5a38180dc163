"""A model is tried before its first look, once, and not where it would be of no use."""

import pytest
import torch
from transformers import T5Config, T5ForConditionalGeneration

from collapse_guard.errors import ArgumentError, UnwatchableError
from collapse_guard.readings.model_check import check_model
from tests.model.test_causality import Counting
from tests.model.test_trial import Memory
from tests.tiny import VOCAB, tiny_gpt2, tiny_panel


def check(model: torch.nn.Module) -> None:
    check_model(model, tiny_panel(), batch_size=4, across_processes=False)


def test_it_is_tried_once() -> None:
    model = Counting(tiny_gpt2())
    check(model)
    first = list(model.rows)
    # One window twice as in training and twice as in a look, and five rows of what is causal.
    assert first[:4] == [(1, 32)] * 4
    assert first[4][0] == 5
    check(model)
    assert model.rows == first


def test_a_trace_is_told_before_anything_else() -> None:
    model = tiny_gpt2()
    model.transformer.ln_f.register_forward_hook(Memory())
    with pytest.raises(UnwatchableError, match="a look would change the training"):
        check(model)


def test_models_that_cannot_be_looked_at_are_not_called() -> None:
    short = tiny_gpt2()
    short.config.n_positions = 8
    short.transformer.wpe = torch.nn.Embedding(8, short.config.n_embd)
    config = T5Config(vocab_size=VOCAB, d_model=16, d_ff=16, d_kv=8, num_layers=1, num_heads=2)
    for model in (short, T5ForConditionalGeneration(config)):
        with pytest.raises(ArgumentError):
            check(model)
