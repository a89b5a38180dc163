"""Which model is meant, and whether its loss can be matched."""

import copy
from contextlib import nullcontext
from functools import partial
from typing import Any

import pytest
import torch
import transformers
from peft import LoraConfig, get_peft_model
from transformers.loss.loss_utils import ForCausalLMLoss

from collapse_guard import ArgumentError, SamplerMatchedLoss
from collapse_guard.integrations.matching.causal_loss import MatchedCausalLoss
from collapse_guard.integrations.matching.models import (
    model_in,
    own_loss,
    put_back,
    try_loss,
    two_tokens,
)
from collapse_guard.integrations.matching.seen_marks import SeenMarks
from collapse_guard.random_states import random_states
from tests.integrations.matching.runs import DECODINGS, SIZES, tiny_gemma2, tiny_mixtral
from tests.model.made import tiny_paligemma_config
from tests.tiny import VOCAB, tiny_gpt2, tiny_llama, tiny_opt


class Module(torch.nn.Module):
    def __init__(self, **parts: torch.nn.Module) -> None:
        super().__init__()
        for name, part in parts.items():
            self.add_module(name, part)


def adapted(model: torch.nn.Module) -> torch.nn.Module:
    return get_peft_model(model, LoraConfig(r=2, target_modules="all-linear"))


@pytest.mark.parametrize(
    "wrap",
    [
        lambda model: model,
        adapted,
        partial(torch.compile, backend="eager"),
        torch.nn.DataParallel,
        lambda model: Module(net=model, head=torch.nn.Linear(2, 2)),
        lambda model: Module(net=torch.compile(adapted(model), backend="eager")),
    ],
    ids=["bare", "peft", "compiled", "data parallel", "module", "all"],
)
def test_the_model_is_found_in_its_wrappers(wrap: Any) -> None:
    model = tiny_llama()
    assert model_in(wrap(model)) is model


def test_none_and_two_are_refused() -> None:
    with pytest.raises(ArgumentError, match=r"got 'Linear'.*SamplerMatchedLoss"):
        model_in(torch.nn.Linear(2, 2))
    both = Module(student=tiny_llama(), teacher=tiny_gpt2())
    with pytest.raises(ArgumentError, match=r"\['LlamaForCausalLM', 'GPT2LMHeadModel'\].*module\."):
        model_in(both)


MODELS = {
    "gpt2": tiny_gpt2,
    "llama": tiny_llama,
    "opt": tiny_opt,
    "mixtral": tiny_mixtral,
    "gemma2": tiny_gemma2,
    "adapted": lambda: adapted(tiny_llama()).get_base_model(),
    "with dropout": lambda: tiny_gpt2(dropout=0.3),
    "half": lambda: tiny_llama().bfloat16(),
    "pictures": lambda: transformers.PaliGemmaForConditionalGeneration(tiny_paligemma_config()),
    "mamba": lambda: transformers.MambaForCausalLM(
        transformers.MambaConfig(vocab_size=VOCAB, hidden_size=16, num_hidden_layers=1)
    ),
}


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_a_trial_sees_the_loss_function_called_and_leaves_no_trace(make: Any) -> None:
    model = make().train()
    model.base_model.eval()
    # Some models hook their own layers at their first call.
    model(two_tokens(model))
    hooks = [len(part._forward_hooks) for part in model.modules()]
    assert own_loss(model) is ForCausalLMLoss
    before = [copy.deepcopy(model.state_dict()), [part.training for part in model.modules()]]
    states, attributes = random_states(), set(model.__dict__)
    logits = try_loss(model, nullcontext)
    assert logits is not None
    assert logits.shape == (1, 2, model.config.get_text_config().vocab_size)
    assert random_states() == states
    assert set(model.__dict__) == attributes
    assert [part.training for part in model.modules()] == before[1]
    assert [len(part._forward_hooks) for part in model.modules()] == hooks
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[0][name])
    assert all(weight.grad is None for weight in model.parameters())


def test_logits_are_those_that_the_loss_gets() -> None:
    model = tiny_gemma2()
    logits = try_loss(model, nullcontext)
    torch.testing.assert_close(logits, model(two_tokens(model)).logits)


def test_a_model_whose_weights_are_elsewhere_is_not_tried() -> None:
    with torch.device("meta"):
        model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**SIZES))
    assert try_loss(model, nullcontext) is None


def test_a_model_that_computes_its_loss_elsewhere_is_refused() -> None:
    model = tiny_llama()
    plain = model.forward

    def with_a_loss_of_its_own(input_ids: Any, labels: Any = None, **arguments: Any) -> Any:
        output = plain(input_ids, **arguments)
        output.loss = torch.nn.functional.cross_entropy(output.logits[0, :-1], labels[0, 1:])
        return output

    model.forward = with_a_loss_of_its_own
    without_a_head = tiny_llama().model
    for each in (model, without_a_head):
        with pytest.raises(ArgumentError, match=r"calls its loss_function once.*Liger"):
            try_loss(each, nullcontext)


def test_a_model_that_fails_on_tokens_is_refused_with_what_it_says() -> None:
    model = tiny_llama()
    model.model.embed_tokens = torch.nn.Embedding(1, 32)
    with pytest.raises(ArgumentError, match="can be called with input_ids and labels") as caught:
        try_loss(model, nullcontext)
    assert isinstance(caught.value.__cause__, IndexError)
    assert "_loss_function" not in model.__dict__


def test_another_loss_is_refused() -> None:
    model = tiny_llama()
    model.loss_function = lambda logits, labels, **arguments: logits.sum()
    with pytest.raises(ArgumentError, match=r"ForCausalLMLoss, not <lambda>"):
        own_loss(model)
    classifier = transformers.LlamaForSequenceClassification(transformers.LlamaConfig(**SIZES))
    with pytest.raises(ArgumentError, match=r"ForCausalLMLoss, not ForSequenceClassificationLoss"):
        own_loss(classifier)


def test_an_encoder_decoder_is_refused() -> None:
    config = transformers.T5Config(
        vocab_size=VOCAB, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2
    )
    with pytest.raises(ArgumentError, match="encoder-decoders are not matched"):
        own_loss(transformers.T5ForConditionalGeneration(config))


def test_a_matched_model_is_refused_until_it_is_not_matched_any_more() -> None:
    model = tiny_llama()
    matched = MatchedCausalLoss(ForCausalLMLoss, SamplerMatchedLoss(DECODINGS), SeenMarks())
    model.loss_function = matched
    with pytest.raises(ArgumentError, match=r"not matched yet.*\.remove\(\)"):
        own_loss(model)
    matched.is_on = False
    assert own_loss(model) is ForCausalLMLoss


def test_attributes_are_put_back() -> None:
    model = tiny_llama()
    model.loss_function = own = lambda *_: None
    put_back(model, "_loss_function", None)
    assert model.loss_function is ForCausalLMLoss
    put_back(model, "_loss_function", own)
    assert model.loss_function is own
