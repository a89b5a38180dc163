"""Text drawn from small models of two makes, against greedy loops and the model's own softmax."""

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from scipy.stats import chisquare
from torch import nn
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
)

from collapse_guard.errors import ArgumentError, ScoringError
from collapse_guard.model.decoding import Decoding
from collapse_guard.model.sample import sample

VOCABULARY = 23

GREEDY, COLD = Decoding(top_k=1), Decoding(temperature=1e-4)


def gpt2() -> nn.Module:
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=VOCABULARY,
            n_positions=32,
            n_embd=16,
            n_layer=2,
            n_head=2,
            bos_token_id=0,
            initializer_range=0.5,
        )
    )


def llama() -> nn.Module:
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=VOCABULARY,
            max_position_embeddings=32,
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=1,
            bos_token_id=0,
            initializer_range=0.5,
        )
    )


def lora() -> nn.Module:
    model = get_peft_model(
        llama(), LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False)
    )
    assert isinstance(model, nn.Module)
    return model


class NoCache(nn.Module):
    """A model of the user's own: gives a bare tensor, knows no cache and no keyword."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.inner(input_ids=input_ids, use_cache=False).logits
        return logits


@pytest.fixture(params=[gpt2, llama, lora])
def model(request: pytest.FixtureRequest) -> nn.Module:
    make: Callable[[], nn.Module] = request.param
    with torch.random.fork_rng():
        torch.manual_seed(1)
        # float64, so that the batch's shape cannot change a draw through rounding.
        return make().double()


def greedy_by_a_loop(model: nn.Module, prompt: list[int], length: int) -> list[int]:
    text = list(prompt)
    model.eval()
    with torch.no_grad():
        for _ in range(length):
            text.append(int(model(input_ids=torch.tensor([text])).logits[0, -1].argmax()))
    return text[len(prompt) :]


def test_cold_sampling_is_greedy(model: nn.Module) -> None:
    expected = greedy_by_a_loop(model, [3, 1, 4], 12)
    prompt = torch.tensor([3, 1, 4])
    cold = sample(model, num_sequences=2, length=12, prompt_ids=prompt, decoding=COLD, seed=0)
    assert cold.tolist() == [expected, expected]
    first = sample(model, num_sequences=1, length=12, prompt_ids=prompt, decoding=GREEDY, seed=0)
    assert first.tolist() == [expected]


@pytest.mark.parametrize("temperature", [0.7, 1.0])
def test_first_tokens_follow_the_softmax(model: nn.Module, temperature: float) -> None:
    prompt = torch.tensor([5, 6])
    drawn = sample(
        model,
        num_sequences=4_000,
        length=1,
        prompt_ids=prompt,
        decoding=Decoding(temperature=temperature),
        batch_size=1_000,
        seed=2,
    )
    with torch.no_grad():
        logits = model.eval()(input_ids=prompt[None]).logits[0, -1]
    expected = (logits / temperature).softmax(-1).numpy() * 4_000
    counts = np.bincount(drawn[:, 0].numpy(), minlength=VOCABULARY)
    common = expected >= 5
    counts = np.append(counts[common], counts[~common].sum())
    expected = np.append(expected[common], expected[~common].sum())
    assert chisquare(counts[expected > 0], expected[expected > 0]).pvalue > 1e-3


def test_the_cache_changes_nothing(model: nn.Module) -> None:
    drawn = sample(model, num_sequences=6, length=16, seed=3, prompt_ids=torch.tensor([0]))
    without = sample(
        NoCache(model), num_sequences=6, length=16, seed=3, prompt_ids=torch.tensor([0])
    )
    assert torch.equal(drawn, without)


def test_the_seed_decides(model: nn.Module) -> None:
    drawn = sample(model, num_sequences=5, length=10, seed=4)
    assert torch.equal(sample(model, num_sequences=5, length=10, seed=4), drawn)
    assert not torch.equal(sample(model, num_sequences=5, length=10, seed=5), drawn)


def test_sequences_do_not_depend_on_who_draws_them(model: nn.Module) -> None:
    whole = sample(model, num_sequences=7, length=10, seed=4)
    assert torch.equal(sample(model, num_sequences=7, length=10, seed=4, batch_size=3), whole)
    later = sample(model, num_sequences=3, length=10, seed=4, first_sequence=4)
    assert torch.equal(later, whole[4:])


def test_sequences_keep_their_numbers_in_any_order(model: nn.Module) -> None:
    whole = sample(model, num_sequences=7, length=10, seed=4)
    some = sample(model, num_sequences=3, length=10, seed=4, numbers=[6, 1, 4], batch_size=2)
    assert torch.equal(some, whole[[6, 1, 4]])


@pytest.mark.parametrize("batch_size", [1, 5, 64])
def test_a_sequence_ends_at_its_first_stop_token(model: nn.Module, batch_size: int) -> None:
    whole = sample(model, num_sequences=40, length=10, seed=4)
    stops = [5, 9, 11, 17]
    expected = whole.clone()
    for row in expected:
        first = next((n for n, token in enumerate(row.tolist()) if token in stops), len(row))
        row[first:] = row[first] if first < len(row) else row[first:]
    assert not torch.equal(expected, whole)
    drawn = sample(
        model, num_sequences=40, length=10, seed=4, stop_ids=stops, batch_size=batch_size
    )
    assert torch.equal(drawn, expected)


def test_a_batch_that_has_ended_costs_nothing() -> None:
    model, passes = gpt2(), 0

    def count(*_: object) -> None:
        nonlocal passes
        passes += 1

    model.register_forward_hook(count)
    everything = range(VOCABULARY)
    drawn = sample(model, num_sequences=3, length=20, seed=0, stop_ids=everything)
    assert passes == 1
    assert drawn.shape == (3, 20)
    assert (drawn == drawn[:, :1]).all()
    prompt = torch.tensor([3, 5])
    passes = 0
    sample(model, num_sequences=3, length=20, seed=0, prompt_ids=prompt, stop_ids=[VOCABULARY])
    assert passes == 20


def test_each_sequence_continues_its_own_prompt(model: nn.Module) -> None:
    prompts = torch.tensor([[3, 1], [4, 1], [5, 9]])
    drawn = sample(
        model, num_sequences=3, length=8, prompt_ids=prompts, decoding=GREEDY, seed=0, batch_size=2
    )
    assert drawn.tolist() == [greedy_by_a_loop(model, prompt, 8) for prompt in prompts.tolist()]


def test_free_running_starts_from_the_models_first_token(model: nn.Module) -> None:
    free = sample(model, num_sequences=2, length=6, seed=0)
    assert torch.equal(
        free, sample(model, num_sequences=2, length=6, seed=0, prompt_ids=torch.tensor([0]))
    )
    del model.config.bos_token_id, model.config.eos_token_id
    model.config.bos_token_id, model.config.eos_token_id = None, [7, 8]
    assert torch.equal(
        sample(model, num_sequences=2, length=6, seed=0),
        sample(model, num_sequences=2, length=6, seed=0, prompt_ids=torch.tensor([7])),
    )


def test_nothing_else_is_touched(model: nn.Module) -> None:
    model.train()
    part = next(module for module in model.modules() if isinstance(module, nn.Embedding))
    part.eval()
    modes = [module.training for module in model.modules()]
    states = random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state()
    sample(model, num_sequences=2, length=4, seed=0)
    assert [module.training for module in model.modules()] == modes
    assert random.getstate() == states[0]
    assert np.array_equal(np.random.get_state()[1], states[1])
    assert torch.equal(torch.get_rng_state(), states[2])
    assert all(parameter.grad is None for parameter in model.parameters())


def test_training_with_sampling_is_training_without() -> None:
    def train(watched: bool) -> list[torch.Tensor]:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = gpt2()
            model.train()
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            for _ in range(3):
                ids = torch.randint(VOCABULARY, (2, 8))
                optimizer.zero_grad()
                model(input_ids=ids, labels=ids).loss.backward()
                optimizer.step()
                if watched:
                    sample(model, num_sequences=2, length=4, seed=0)
            return [parameter.detach().clone() for parameter in model.parameters()]

    for alone, watched in zip(train(False), train(True), strict=True):
        assert torch.equal(alone, watched)


def test_bfloat16_models_are_sampled(model: nn.Module) -> None:
    drawn = sample(
        model.bfloat16(), num_sequences=3, length=8, decoding=Decoding(top_p=0.9), seed=0
    )
    assert drawn.shape == (3, 8)
    assert drawn.dtype == torch.int64
    assert drawn.min() >= 0
    assert drawn.max() < VOCABULARY


def test_a_broken_model_is_an_error() -> None:
    broken = gpt2()
    nn.init.constant_(next(broken.parameters()), float("nan"))
    with pytest.raises(ScoringError, match="not a number"):
        sample(broken, num_sequences=1, length=2, seed=0)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"num_sequences": 0}, "`num_sequences` expected a whole number from 1"),
        ({"length": 0}, "`length` expected a whole number from 1"),
        ({"length": 33}, "fit the model's 32 positions, but got 33: draw at most 32 tokens"),
        ({"batch_size": 0}, "`batch_size` expected at least 1"),
        ({"seed": -1}, "`seed` expected at least 0"),
        ({"first_sequence": -1}, "`first_sequence` expected at least 0"),
        ({"numbers": [0, 1, -1, 2]}, "`numbers` expected at least 0"),
        ({"numbers": [0, 1, 2]}, "`numbers` expected 4, one for each sequence, but got 3"),
        ({"prompt_ids": torch.zeros(2, 3, dtype=torch.int64)}, r"\(P,\) or \(4, P\)"),
        ({"prompt_ids": torch.zeros(0, dtype=torch.int64)}, "P at least 1"),
        ({"prompt_ids": torch.zeros(3)}, "integer token ids"),
    ],
)
def test_bad_arguments_are_named(wrong: dict[str, object], message: str) -> None:
    arguments: dict[str, object] = {"num_sequences": 4, "length": 8, "seed": 0}
    with pytest.raises(ArgumentError, match=message):
        sample(gpt2(), **(arguments | wrong))  # type: ignore[arg-type]


class NoNames(nn.Module):
    """A model of the user's own without a config anywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Embedding(VOCABULARY, VOCABULARY)

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        return self.head(input_ids)


def test_one_inside_may_say_where_it_starts() -> None:
    inner = gpt2()
    texts = (sample(each, num_sequences=2, length=6, seed=0) for each in (inner, NoCache(inner)))
    assert torch.equal(*texts)


def test_a_model_without_a_first_token_needs_a_prompt() -> None:
    with pytest.raises(ArgumentError, match="give the ids of a prompt"):
        sample(NoNames(), num_sequences=1, length=2, seed=0)


def test_encoder_decoders_are_refused() -> None:
    config = T5Config(vocab_size=50, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2)
    with pytest.raises(ArgumentError, match="`model` expected a causal language model"):
        sample(T5ForConditionalGeneration(config), num_sequences=2, length=4, seed=0)


class KeepsItsCache(nn.Module):
    """A module around a model that hands its cache out and takes none."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner, self.config = inner, inner.config

    def forward(self, input_ids: torch.Tensor) -> Any:
        return self.inner(input_ids=input_ids)


def test_a_cache_that_the_model_does_not_take_is_left(model: nn.Module) -> None:
    texts = (
        sample(each, num_sequences=3, length=8, seed=0) for each in (model, KeepsItsCache(model))
    )
    assert torch.equal(*texts)


@pytest.mark.parametrize("in_place", [False, True])
def test_nothing_is_compiled_for_it(in_place: bool) -> None:
    compiled: list[object] = []

    def backend(graph: torch.fx.GraphModule, inputs: object) -> Callable[..., Any]:
        compiled.append(graph)
        return graph.forward

    inner = llama().eval()
    expected = sample(inner, num_sequences=2, length=6, seed=0)
    model: Any = inner if in_place else torch.compile(inner, backend=backend)
    if in_place:
        model.compile(backend=backend)
    ids = torch.arange(8)[None]
    logits = model(input_ids=ids).logits
    assert len(compiled) == 1
    assert torch.equal(sample(model, num_sequences=2, length=6, seed=0), expected)
    assert torch.equal(model(input_ids=ids).logits, logits)
    assert len(compiled) == 1
