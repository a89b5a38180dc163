"""TRL's fused head: plain tokens are its own to the bit, drawn ones matched, nothing is silent."""

import copy
import inspect
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from peft import LoraConfig, PromptTuningConfig, get_peft_model
from transformers import PreTrainedModel
from trl.trainer.utils import add_fused_lm_head

from collapse_guard import ArgumentError, mark_labels
from collapse_guard.integrations.matching import fused_head
from collapse_guard.integrations.matching.fused_head import has_fused_head, logits_of
from collapse_guard.integrations.matching.match_sampler import match_sampler
from collapse_guard.model.marked_labels import unmark_labels
from tests.integrations.matching.runs import (
    DECODINGS,
    SIZES,
    assert_same_step,
    expected_step,
    first_step,
    gradients_of,
    make_sft,
    ragged_rows,
    tiny_gemma2,
    tiny_mixtral,
    tiny_tokenizer,
)
from tests.tiny import VOCAB, tiny_gpt2, tiny_llama, tiny_opt

pytestmark = [
    # trl 1.16 calls a setting by the name that transformers 5 has changed.
    pytest.mark.filterwarnings("ignore:`gradient_checkpointing:FutureWarning"),
]

OUTPUTS = ("log_probs", "entropy", "is_top1")


def fused(model: PreTrainedModel) -> PreTrainedModel:
    add_fused_lm_head(model, outputs=OUTPUTS)
    return model


def batch(**settings: Any) -> dict[str, torch.Tensor]:
    collate = transformers.DataCollatorForSeq2Seq(tiny_tokenizer())
    return dict(collate(ragged_rows(**settings)))


def granite() -> PreTrainedModel:
    return scaled(transformers.GraniteConfig(**SIZES, logits_scaling=0.25))


def cohere() -> PreTrainedModel:
    return scaled(transformers.CohereConfig(**SIZES, logit_scale=0.25))


def scaled(config: Any) -> PreTrainedModel:
    torch.manual_seed(0)
    return transformers.AutoModelForCausalLM.from_config(config)


MODELS = {
    "gpt2": tiny_gpt2,
    "llama": tiny_llama,
    "opt": tiny_opt,
    "mixtral": tiny_mixtral,
    "capped": tiny_gemma2,
    "divided": granite,
    "multiplied": cohere,
    "half": lambda: tiny_gemma2().bfloat16(),
}


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_logits_are_the_models_own(make: Any) -> None:
    model = fused(make()).eval()
    match_sampler(model, DECODINGS)
    ids = batch()["input_ids"]
    with torch.no_grad():
        found = logits_of(model, model.base_model(ids).last_hidden_state)
        expected = model(ids).logits.float()
    assert found.dtype == torch.float32
    half = model.dtype == torch.bfloat16
    torch.testing.assert_close(found, expected, **({"atol": 0.02, "rtol": 0.02} if half else {}))


def test_a_model_of_which_trl_trains_another_law_is_refused() -> None:
    """BERT's head has a layer of its own before the output layer, which the fused head skips."""
    config = transformers.BertConfig(
        vocab_size=VOCAB,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        is_decoder=True,
    )
    model = fused(transformers.BertLMHeadModel(config))
    with pytest.raises(ArgumentError, match=r"scaled or capped at most.*another law"):
        match_sampler(model, DECODINGS)


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("at_once", [1 << 26, 5 * VOCAB], ids=["whole", "in slices"])
def test_plain_tokens_are_trls_own_to_the_bit_and_drawn_ones_matched(
    make: Any, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fused_head, "LOGITS_AT_ONCE", at_once)
    model = fused(make()).eval()
    marked = batch()
    tokens, drawn_with = unmark_labels(marked["labels"])
    drawn = drawn_with[:, 1:] > 0
    states: list[torch.Tensor] = []
    model.base_model.register_forward_hook(lambda *call: states.append(call[-1].last_hidden_state))

    def outputs_and_slopes(labels: torch.Tensor) -> tuple[Any, torch.Tensor]:
        output = model(**(marked | {"labels": labels}), fused_lm_head=True)
        (slopes,) = torch.autograd.grad(output.log_probs.sum(), states[-1], retain_graph=True)
        return output, slopes[:, :-1]

    plain, plain_slopes = outputs_and_slopes(tokens)
    match = match_sampler(model, DECODINGS)
    found, slopes = outputs_and_slopes(marked["labels"])
    assert torch.equal(found.label_mask, plain.label_mask)
    for name in OUTPUTS:
        assert torch.equal(getattr(found, name)[~drawn], getattr(plain, name)[~drawn])
    assert torch.equal(slopes[~drawn], plain_slopes[~drawn])
    # What TRL only logs is of the model itself, for all tokens.
    torch.testing.assert_close(found.entropy, plain.entropy)
    assert torch.equal(found.is_top1, plain.is_top1)
    logits = logits_of(model, states[-1].detach())[:, :-1]
    terms = match.loss(logits, marked["labels"][:, 1:], reduction="none")
    torch.testing.assert_close(found.log_probs[drawn], -terms[drawn])
    expected = terms.sum() / plain.label_mask.sum()
    if found.aux_loss is not None:
        expected = expected + 0.1 * found.aux_loss
    torch.testing.assert_close(found.loss, expected)


def test_shifted_labels_and_a_given_number_of_items_are_heeded() -> None:
    model = fused(tiny_llama())
    marked = batch()
    shifted = torch.nn.functional.pad(marked["labels"][:, 1:], (0, 1), value=-100)
    with match_sampler(model, DECODINGS):
        found = model(**marked, fused_lm_head=True)
        arguments = marked | {"labels": None, "shift_labels": shifted}
        other = model(**arguments, num_items_in_batch=1, fused_lm_head=True)
    torch.testing.assert_close(other.log_probs[:, :-1], found.log_probs)
    torch.testing.assert_close(other.loss, found.loss * found.label_mask.sum())


def test_marks_of_tokens_that_nothing_predicts_do_not_count() -> None:
    model = fused(tiny_llama())
    plain = batch(marked=False)
    first_column = torch.zeros_like(plain["labels"])
    first_column[:, 0] = 1
    first = plain | {"labels": mark_labels(plain["labels"], first_column)}
    with match_sampler(model, DECODINGS):
        found = model(**first, fused_lm_head=True)
    expected = model(**plain, fused_lm_head=True)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_without_marks_the_output_is_trls_own() -> None:
    model = fused(tiny_llama())
    plain = batch(marked=False)
    with match_sampler(model, DECODINGS):
        found = model(**plain, fused_lm_head=True)
    expected = model(**plain, fused_lm_head=True)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_other_calls_go_to_the_model() -> None:
    model = fused(tiny_llama())
    marked = batch()
    match = match_sampler(model, DECODINGS)
    # As a subclass of the trainer may call it.
    loss = model(**marked).loss
    found = model(**marked, fused_lm_head=True).loss
    torch.testing.assert_close(loss, found)
    tokens = model.generate(marked["input_ids"][:1], max_new_tokens=2, do_sample=False)
    assert tokens.shape[1] == marked["input_ids"].shape[1] + 2
    match.remove()


def test_removal_puts_the_forward_back() -> None:
    model = fused(tiny_llama())
    forward, signature = model.forward, inspect.signature(model.forward)
    with match_sampler(model, DECODINGS):
        assert model.forward is not forward
        assert inspect.signature(model.forward) == signature
        assert has_fused_head(model)
    assert model.__dict__["forward"] is forward
    assert "_loss_function" not in model.__dict__


def test_who_wrapped_it_since_keeps_that() -> None:
    """As accelerate does for mixed precision, when training starts."""
    model = fused(tiny_llama())
    match = match_sampler(model, DECODINGS)
    inner = model.forward
    model.forward = wrapper = lambda *args, **kwargs: inner(*args, **kwargs)
    match.remove()
    assert model.forward is wrapper
    plain = batch(marked=False)
    found = model(**plain, fused_lm_head=True)
    assert torch.equal(found.log_probs, fused(tiny_llama())(**plain, fused_lm_head=True).log_probs)


def test_a_copy_is_matched_by_itself() -> None:
    model = fused(tiny_llama())
    match = match_sampler(model, DECODINGS)
    other = copy.deepcopy(model)
    with torch.no_grad():
        other.lm_head.weight.mul_(2)
    marked = batch()
    ours, theirs = (each(**marked, fused_lm_head=True) for each in (model, other))
    assert not torch.allclose(ours.log_probs, theirs.log_probs)
    theirs.loss.backward()
    assert other.lm_head.weight.grad is not None
    assert model.lm_head.weight.grad is None
    match.remove()


def test_a_model_that_is_given_the_head_after_its_match_is_refused() -> None:
    model = tiny_llama()
    match = match_sampler(model, DECODINGS)
    fused(model)
    with pytest.raises(ArgumentError, match=r"handed to TRL's trainer afterwards.*make the trai"):
        model(**batch(), fused_lm_head=True)
    match.remove()
    model(**batch(marked=False), fused_lm_head=True)


def test_a_mark_that_nobody_looks_for_trains_something_else_without_a_word() -> None:
    """Why the head is looked for: it takes a token that does not exist for one without a logit."""
    model = fused(tiny_llama())
    marked = batch()
    output = model(**marked, fused_lm_head=True)
    assert torch.isfinite(output.loss)
    drawn = unmark_labels(marked["labels"])[1][:, 1:] > 0
    logits = model(**{**marked, "labels": None}).logits[:, :-1]
    torch.testing.assert_close(output.log_probs[drawn], -logits.logsumexp(-1)[drawn])


PACKED = {"packing": True, "max_length": 32, "per_device_train_batch_size": 8}
ACCUMULATED = {"gradient_accumulation_steps": 2}
STEPS: dict[str, tuple[Any, dict[str, Any], dict[str, Any]]] = {
    "accumulated": (tiny_llama, ACCUMULATED, {}),
    "checkpointed": (tiny_llama, ACCUMULATED | {"activation_checkpointing": True}, {}),
    "padding-free": (tiny_llama, ACCUMULATED | {"padding_free": True, "max_length": None}, {}),
    "packed": (tiny_llama, PACKED, {}),
    "completion only": (tiny_llama, ACCUMULATED, {"prompt": 4}),
    "capped": (tiny_gemma2, ACCUMULATED, {}),
    "all drawn": (tiny_llama, ACCUMULATED, {"seed": 7}),
}


@pytest.mark.parametrize(("make", "settings", "rows"), STEPS.values(), ids=STEPS)
def test_a_step_is_that_of_the_matched_loss(
    tmp_path: Path, make: Any, settings: dict[str, Any], rows: dict[str, Any]
) -> None:
    trained = ragged_rows(**rows)
    trainer = make_sft(tmp_path, make(), trained, **settings)
    with match_sampler(trainer, DECODINGS):
        assert_same_step(first_step(trainer), expected_step(make(), trained))


def test_a_step_of_a_mixture_of_experts_has_its_auxiliary_loss(tmp_path: Path) -> None:
    rows = ragged_rows()
    trainer = make_sft(tmp_path, tiny_mixtral(), rows, per_device_train_batch_size=8)
    match_sampler(trainer, DECODINGS)
    found = first_step(trainer)
    model = tiny_mixtral()
    loss, _ = expected_step(model, rows)
    auxiliary = 0.1 * model(**(batch() | {"labels": None}), output_router_logits=True).aux_loss
    auxiliary.backward()
    assert_same_step(found, (loss + auxiliary.item(), gradients_of(model)))


def low_rank() -> LoraConfig:
    return LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False)


def adapted() -> Any:
    torch.manual_seed(0)
    config = LoraConfig(r=4, target_modules=["q_proj", "up_proj"], init_lora_weights=False)
    return get_peft_model(tiny_llama(), config)


def prompted() -> Any:
    torch.manual_seed(0)
    return get_peft_model(
        tiny_llama(), PromptTuningConfig(num_virtual_tokens=3, task_type="CAUSAL_LM")
    )


@pytest.mark.parametrize("kind", ["before", "by the trainer", "virtual tokens"])
def test_a_step_of_adapters_is_that_of_the_matched_loss(tmp_path: Path, kind: str) -> None:
    rows = ragged_rows()
    model = {"before": adapted, "by the trainer": tiny_llama, "virtual tokens": prompted}[kind]()
    config = {"peft_config": low_rank()} if kind == "by the trainer" else {}
    trainer = make_sft(tmp_path, model, rows, **ACCUMULATED, **config)
    expected = expected_step(trainer.model, rows, predicts_first=kind == "virtual tokens")
    trainer.model.zero_grad()
    with match_sampler(trainer, DECODINGS):
        assert_same_step(first_step(trainer), expected)


@pytest.mark.parametrize("make", [tiny_llama, tiny_gemma2])
def test_mixed_precision_stays_near(tmp_path: Path, make: Any) -> None:
    rows = ragged_rows()
    trainer = make_sft(tmp_path, make(), rows, bf16=True, **ACCUMULATED)
    expected = expected_step(make(), rows)
    for _ in range(2):
        # The second time TRL's forward stands in accelerate's, which sets the precision.
        with match_sampler(trainer, DECODINGS):
            loss, gradients = first_step(trainer)
    assert loss < expected[0]  # the first time's step was taken
    trainer = make_sft(tmp_path, make(), rows, bf16=True, **ACCUMULATED)
    with match_sampler(trainer, DECODINGS):
        loss, gradients = first_step(trainer)
    assert loss == pytest.approx(expected[0], rel=0.01)
    for name, gradient in expected[1].items():
        assert (gradients[name] - gradient).norm() < 0.1 * gradient.norm()


def test_without_marks_a_run_is_the_same_to_the_bit(tmp_path: Path) -> None:
    def trained(attach: bool) -> dict[str, torch.Tensor]:
        rows = ragged_rows(24, marked=False)
        model = tiny_gpt2(dropout=0.1)
        trainer = make_sft(tmp_path, model, rows, max_steps=5, eval_dataset=None, packing=True)
        if attach:
            match_sampler(trainer, DECODINGS)
        trainer.train()
        return dict(trainer.model.state_dict())

    with_it, without = trained(True), trained(False)
    assert all(torch.equal(with_it[name], without[name]) for name in without)


def test_evaluation_and_metrics_are_of_all_tokens(tmp_path: Path) -> None:
    import datasets

    def metrics(marked: bool) -> dict[str, float]:
        rows = ragged_rows(marked=marked)
        trainer = make_sft(
            tmp_path, tiny_llama(), rows, eval_dataset=datasets.Dataset.from_list(rows)
        )
        if marked:
            match_sampler(trainer, DECODINGS)
        return trainer.evaluate()

    with_marks, without = metrics(True), metrics(False)
    for name in ("eval_entropy", "eval_mean_token_accuracy", "eval_num_tokens"):
        assert with_marks[name] == pytest.approx(without[name], rel=1e-5)
    assert with_marks["eval_loss"] != pytest.approx(without["eval_loss"], rel=1e-3)


@pytest.mark.slow
# What the compiler does with TRL's own function.
@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")
def test_a_compiled_step_is_that_of_the_matched_loss(tmp_path: Path) -> None:
    rows = ragged_rows()
    trainer = make_sft(
        tmp_path, tiny_llama(), rows, torch_compile_backend="aot_eager", **ACCUMULATED
    )
    with match_sampler(trainer, DECODINGS):
        assert_same_step(first_step(trainer), expected_step(tiny_llama(), rows))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"loss_type": "dft"}, "loss_type"),
        ({"label_smoothing_factor": 0.1}, "label_smoothing_factor"),
    ],
)
@pytest.mark.filterwarnings("ignore:`label_smoothing_factor` is deprecated:FutureWarning")
def test_other_losses_are_refused(tmp_path: Path, settings: dict[str, Any], message: str) -> None:
    trainer = make_sft(tmp_path, tiny_llama(), ragged_rows(), **settings)
    with pytest.raises(ArgumentError, match=message):
        match_sampler(trainer, DECODINGS)
