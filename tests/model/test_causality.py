from types import SimpleNamespace

import pytest
import torch
import transformers
from peft import LoraConfig, get_peft_model

from collapse_guard import CollapseMonitor, UnwatchableError, token_logprobs
from collapse_guard.model.causality import check_causal, is_found_causal
from collapse_guard.readings.panel_logprobs import panel_logprobs
from collapse_guard.readings.panel_sums import score_panel
from tests.model.made import tiny_paligemma_config
from tests.tiny import BRIEF, VOCAB, tiny_gpt2, tiny_llama, tiny_panel

SIZES = {
    "vocab_size": VOCAB,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
}
NOT_CAUSAL = {
    "bert": lambda: transformers.BertForMaskedLM(transformers.BertConfig(**SIZES)),
    "roberta, is_decoder left out": lambda: transformers.RobertaForCausalLM(
        transformers.RobertaConfig(**SIZES)
    ),
    "modernbert": lambda: transformers.ModernBertForMaskedLM(
        transformers.ModernBertConfig(**SIZES, pad_token_id=0)
    ),
    "xlm": lambda: transformers.XLMWithLMHeadModel(
        transformers.XLMConfig(vocab_size=VOCAB, emb_dim=32, n_layers=2, n_heads=2)
    ),
    "xlnet": lambda: transformers.XLNetLMHeadModel(
        transformers.XLNetConfig(vocab_size=VOCAB, d_model=32, n_layer=2, n_head=2, d_inner=64)
    ),
}


def made(make, *, scale: float = 1.0) -> torch.nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = make()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.mul_(scale)
    return model


@pytest.mark.parametrize("scale", [1.0, 5.0], ids=["untrained", "confident"])
@pytest.mark.parametrize("name", list(NOT_CAUSAL))
def test_a_model_that_sees_later_tokens_is_refused(name: str, scale: float) -> None:
    model = made(NOT_CAUSAL[name], scale=scale)
    panel = tiny_panel()
    for look in (
        lambda: CollapseMonitor(panel, sampling=BRIEF).start(model),
        lambda: score_panel(model, panel),
        lambda: panel_logprobs(model, panel),
        lambda: token_logprobs(model, panel.input_ids, panel.positions),
    ):
        with pytest.raises(
            UnwatchableError, match=r"is not causal: .* is_decoder=True|is not causal"
        ):
            look()
    assert not is_found_causal(model)


def test_the_same_model_as_a_decoder_is_taken() -> None:
    config = transformers.RobertaConfig(**SIZES, is_decoder=True)
    model = made(lambda: transformers.RobertaForCausalLM(config), scale=5)
    assert CollapseMonitor(tiny_panel(), sampling=BRIEF).start(model)["tail_retention"] == 1.0


def test_lora_on_it_changes_nothing() -> None:
    adapted = get_peft_model(
        made(NOT_CAUSAL["bert"], scale=5), LoraConfig(r=2, target_modules=["query"])
    )
    with pytest.raises(UnwatchableError, match="not causal"):
        CollapseMonitor(tiny_panel(), against_base=True, sampling=BRIEF).start(adapted)


class Wrapped(torch.nn.Module):
    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model
        # In an object of its own, as lists in a module are put back after a look.
        self._seen = SimpleNamespace(rows=[])

    @property
    def rows(self) -> list[tuple[int, ...]]:
        """Shapes of what it was called with."""
        rows: list[tuple[int, ...]] = self._seen.rows
        return rows


class OneTokenAhead(Wrapped):
    """Sees the very token that it is to predict, and nothing behind it."""

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        logits = self.model(input_ids).logits
        return logits + 0.1 * torch.nn.functional.one_hot(input_ids.roll(-1, 1), VOCAB)


class Noisy(Wrapped):
    """Draws in evaluation mode too."""

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        logits = self.model(input_ids).logits
        return logits + 0.1 * torch.randn_like(logits)


class ScaledByTheBatch(Wrapped):
    """Rounds to steps of the largest number in the batch, as quantised activations are."""

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        logits = self.model(input_ids).logits
        step = logits.abs().max() / 16
        return (logits / step).round() * step


class Counting(Wrapped):
    def forward(self, input_ids: torch.Tensor) -> SimpleNamespace:
        self.rows.append(tuple(input_ids.shape))
        return SimpleNamespace(logits=self.model(input_ids).logits)


def test_one_token_ahead_is_enough() -> None:
    with pytest.raises(UnwatchableError, match="not causal"):
        score_panel(OneTokenAhead(tiny_gpt2()), tiny_panel())


@pytest.mark.parametrize("wrapper", [Noisy, ScaledByTheBatch])
def test_noise_is_no_sight_of_the_future(wrapper: type[Wrapped]) -> None:
    check_causal(wrapper(tiny_gpt2()), tiny_panel().input_ids)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_rounding_is_no_sight_of_the_future(dtype: torch.dtype) -> None:
    check_causal(tiny_llama().to(dtype), tiny_panel().input_ids)


def test_half_precision_hides_nothing() -> None:
    model = made(NOT_CAUSAL["bert"], scale=8).to(torch.bfloat16)
    with pytest.raises(UnwatchableError, match="not causal"):
        check_causal(model, tiny_panel().input_ids)


def test_a_model_is_tried_once() -> None:
    panel = tiny_panel()
    model = Counting(tiny_gpt2())
    monitor = CollapseMonitor(panel, batch_size=len(panel), sampling=BRIEF)
    monitor.start(model)
    # Four passes of one window whether a look leaves a trace, and then this one.
    assert model.rows[:5] == [(1, 32)] * 4 + [(5, 32)]
    assert sum(shape[0] == 5 for shape in model.rows) == 1
    before = len(model.rows)
    monitor.look(model, step=1)
    token_logprobs(model, panel.input_ids, panel.positions)
    assert not any(shape[0] == 5 for shape in model.rows[before:])


def test_it_is_no_larger_than_a_batch() -> None:
    model = Counting(tiny_gpt2())
    CollapseMonitor(tiny_panel(), batch_size=1, sampling=None).start(model)
    assert all(rows * tokens <= 32 for rows, tokens in model.rows)


def test_it_leaves_no_trace() -> None:
    model = tiny_gpt2(dropout=0.5).train()
    next(model.children()).eval()
    modes = [module.training for module in model.modules()]
    weights = [parameter.clone() for parameter in model.parameters()]
    random = torch.get_rng_state()
    check_causal(model, tiny_panel().input_ids)
    assert [module.training for module in model.modules()] == modes
    assert all(map(torch.equal, weights, model.parameters()))
    assert torch.equal(torch.get_rng_state(), random)


@pytest.mark.parametrize("ids", [[[3, 4]], [[3, 4, 5]], [[3] * 8]])
def test_short_and_monotonous_text(ids: list[list[int]]) -> None:
    check_causal(tiny_gpt2(), torch.tensor(ids))
    if len(set(ids[0])) > 1:
        with pytest.raises(UnwatchableError, match="not causal"):
            check_causal(OneTokenAhead(tiny_gpt2()), torch.tensor(ids))


def test_a_prefix_model_is_refused_until_it_is_told_how_it_was_trained() -> None:
    config = tiny_paligemma_config()
    model = made(lambda: transformers.PaliGemmaForConditionalGeneration(config), scale=5)
    panel = tiny_panel()

    class AsTrained(Wrapped):
        def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
            ones = torch.ones_like(input_ids)
            return self.model(input_ids=input_ids, token_type_ids=ones).logits

    with pytest.raises(UnwatchableError, match="`token_type_ids` of PaliGemma"):
        CollapseMonitor(panel, sampling=BRIEF).start(model)
    scored = token_logprobs(AsTrained(model), panel.input_ids, panel.positions)
    # By its prefixes alone, where there is nothing behind to be seen.
    for end in (2, 9, 30):
        ids = panel.input_ids[:, :end]
        with torch.no_grad():
            logits = model(input_ids=ids, token_type_ids=torch.ones_like(ids)).logits[:, -1]
        expected = logits.log_softmax(1).gather(1, panel.input_ids[:, end : end + 1]).squeeze(1)
        found = scored.unflatten(0, (len(panel), -1))[:, end - 1]
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
