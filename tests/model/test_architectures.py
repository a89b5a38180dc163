"""Scoring over real architectures, built small from their configs."""

import math
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import transformers
from peft import LoraConfig, get_peft_model
from transformers import PreTrainedModel

from collapse_guard import ArgumentError, CollapseMonitor, HeldOutPanel, token_logprobs
from collapse_guard.model.forward import accepts
from collapse_guard.readings.hidden_state_spectrum import last_hidden_states
from collapse_guard.readings.panel_logprobs import panel_logprobs
from collapse_guard.readings.panel_sums import score_panel
from tests.tiny import BRIEF, VOCAB, tiny_panel, tiny_reference, zipf_documents

ROWS, TOKENS, PADDING = 4, 12, 5
START, WIDTH = 1, 16

ENDS: dict[str, Any] = {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": START}
LLAMA: dict[str, Any] = {
    "vocab_size": VOCAB,
    "hidden_size": WIDTH,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    **ENDS,
}
MOE: dict[str, Any] = {**LLAMA, "num_experts_per_tok": 2}
SSM: dict[str, Any] = {
    "vocab_size": VOCAB,
    "hidden_size": WIDTH,
    "num_hidden_layers": 2,
    "state_size": 4,
    **ENDS,
}
T5: dict[str, Any] = {
    "vocab_size": VOCAB,
    "d_model": WIDTH,
    "d_kv": 4,
    "d_ff": 32,
    "num_layers": 2,
    "num_heads": 4,
    "decoder_start_token_id": START,
    **ENDS,
}
BART: dict[str, Any] = {
    "vocab_size": VOCAB,
    "d_model": WIDTH,
    "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32,
    "encoder_layers": 1,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "max_position_embeddings": 64,
    "decoder_start_token_id": START,
    **ENDS,
}

CAUSAL: dict[str, tuple[str, str, dict[str, Any]]] = {
    "bert": (
        "BertLMHeadModel",
        "BertConfig",
        {name: size for name, size in LLAMA.items() if name != "num_key_value_heads"}
        | {"is_decoder": True},
    ),
    "bloom": (
        "BloomForCausalLM",
        "BloomConfig",
        {"vocab_size": VOCAB, "hidden_size": WIDTH, "n_layer": 2, "n_head": 4, **ENDS},
    ),
    "cohere": ("CohereForCausalLM", "CohereConfig", {**LLAMA, "logit_scale": 0.5}),
    "gemma3": (
        "Gemma3ForCausalLM",
        "Gemma3TextConfig",
        {
            **LLAMA,
            "head_dim": 4,
            "sliding_window": 4,
            "final_logit_softcapping": 5.0,
            "attn_logit_softcapping": 5.0,
        },
    ),
    "gpt2": (
        "GPT2LMHeadModel",
        "GPT2Config",
        {
            "vocab_size": VOCAB,
            "n_positions": 64,
            "n_embd": WIDTH,
            "n_layer": 2,
            "n_head": 4,
            **ENDS,
        },
    ),
    "gpt_neox": (
        "GPTNeoXForCausalLM",
        "GPTNeoXConfig",
        {name: size for name, size in LLAMA.items() if name != "num_key_value_heads"},
    ),
    "granite": ("GraniteForCausalLM", "GraniteConfig", {**LLAMA, "logits_scaling": 2.0}),
    "llama": ("LlamaForCausalLM", "LlamaConfig", LLAMA),
    "mamba": ("MambaForCausalLM", "MambaConfig", SSM),
    "mamba2": (
        "Mamba2ForCausalLM",
        "Mamba2Config",
        {**SSM, "num_heads": 4, "head_dim": 8, "n_groups": 1, "chunk_size": 8},
    ),
    "mistral": ("MistralForCausalLM", "MistralConfig", {**LLAMA, "sliding_window": 4}),
    "mixtral": ("MixtralForCausalLM", "MixtralConfig", {**MOE, "num_local_experts": 4}),
    "opt": (
        "OPTForCausalLM",
        "OPTConfig",
        {
            "vocab_size": VOCAB,
            "hidden_size": WIDTH,
            "word_embed_proj_dim": 8,
            "ffn_dim": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "max_position_embeddings": 64,
            **ENDS,
        },
    ),
    "phi3": ("Phi3ForCausalLM", "Phi3Config", LLAMA),
    "qwen3": ("Qwen3ForCausalLM", "Qwen3Config", {**LLAMA, "head_dim": 4}),
    "qwen3_moe": (
        "Qwen3MoeForCausalLM",
        "Qwen3MoeConfig",
        {**MOE, "head_dim": 4, "num_experts": 4, "moe_intermediate_size": 16},
    ),
    "rwkv": (
        "RwkvForCausalLM",
        "RwkvConfig",
        {
            "vocab_size": VOCAB,
            "hidden_size": WIDTH,
            "num_hidden_layers": 2,
            "context_length": 64,
            **ENDS,
        },
    ),
    # Its forward has no `logits_to_keep`.
    "trocr": (
        "TrOCRForCausalLM",
        "TrOCRConfig",
        {
            "vocab_size": VOCAB,
            "d_model": WIDTH,
            "decoder_layers": 2,
            "decoder_attention_heads": 4,
            "decoder_ffn_dim": 32,
            "max_position_embeddings": 64,
            **ENDS,
        },
    ),
}
ENCODER_DECODER: dict[str, tuple[str, str, dict[str, Any]]] = {
    "bart": ("BartForConditionalGeneration", "BartConfig", BART),
    "t5": ("T5ForConditionalGeneration", "T5Config", T5),
}

causal = pytest.mark.parametrize("name", list(CAUSAL))
encoder_decoder = pytest.mark.parametrize("name", list(ENCODER_DECODER))


@pytest.fixture(autouse=True, scope="module")
def _quiet() -> Iterator[None]:
    """Transformers tells of slow kernels and of generation defaults, which are not our matter."""
    before = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()
    yield
    transformers.logging.set_verbosity(before)


def build(name: str) -> PreTrainedModel:
    model_class, config_class, settings = (CAUSAL | ENCODER_DECODER)[name]
    config = getattr(transformers, config_class)(**settings)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = getattr(transformers, model_class)(config)
        with torch.no_grad():
            for parameter in model.parameters():
                # Matrices only, and so far that predictions differ: norms and the decay rates of
                # state space models have a scale of their own.
                if parameter.ndim >= 2 and parameter.std() < 0.1:
                    parameter.mul_(0.25 / parameter.std())
    return model.eval()


def with_lora(model: PreTrainedModel) -> torch.nn.Module:
    linears = torch.nn.Linear, transformers.pytorch_utils.Conv1D
    targets = {
        module_name.rsplit(".", 1)[-1]
        for module_name, module in model.named_modules()
        # PEFT refuses Mamba's output projection, whose weight the fast kernels read by themselves.
        if isinstance(module, linears) and not module_name.endswith(("lm_head", "out_proj"))
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        settings = LoraConfig(
            r=2,
            target_modules=sorted(targets),
            init_lora_weights=False,
            fan_in_fan_out=isinstance(model, transformers.GPT2LMHeadModel),
        )
        return get_peft_model(model, settings).eval()


def some_input() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    input_ids = torch.randint(2, VOCAB, (ROWS, TOKENS), generator=generator)
    positions = torch.rand(ROWS, TOKENS, generator=generator) < 0.3
    positions[:, 0] = False
    return input_ids, positions


def naive_logprobs(
    forward: Callable[[torch.Tensor, int], Any], input_ids: torch.Tensor, positions: torch.Tensor
) -> torch.Tensor:
    """Row by row without any padding, full logits, float64 softmax with an exact sum."""
    expected = []
    for row, (ids, chosen) in enumerate(zip(input_ids, positions, strict=True)):
        with torch.no_grad():
            logits = forward(ids[None], row).logits[0].double()
        for i in chosen.nonzero().flatten().tolist():
            scores = logits[i - 1].tolist()
            top = max(scores)
            total = math.fsum(math.exp(score - top) for score in scores)
            expected.append(scores[ids[i]] - top - math.log(total))
    return torch.tensor(expected, dtype=torch.float64)


def padded(tensor: torch.Tensor, fill: int, side: str) -> torch.Tensor:
    """Row i padded on one side by `PADDING` + i: no two rows are as long."""
    width = tensor.shape[1] + PADDING + ROWS
    rows = torch.full((len(tensor), width), fill, dtype=tensor.dtype)
    for row, tokens in enumerate(tensor):
        begin = PADDING + row if side == "left" else 0
        rows[row, begin : begin + len(tokens)] = tokens
    if side == "left":
        # What is left over on the right is padding too: text may stand in the middle.
        assert (rows[:, -1] == fill).any()
    return rows


@causal
@pytest.mark.parametrize("adapted", [False, True], ids=["plain", "lora"])
def test_scores_match_a_naive_loop(name: str, adapted: bool) -> None:
    model: torch.nn.Module = build(name)
    if adapted:
        model = with_lora(model)
    input_ids, positions = some_input()
    expected = naive_logprobs(lambda ids, _row: model(input_ids=ids), input_ids, positions)
    # Far from uniform, where a misplaced position would not be noticed.
    assert expected.std() > 0.3
    tokens = torch.ones_like(input_ids)
    batches = {"unpadded": (input_ids, positions, None)} | {
        # -100 is no token at all, and must never reach the model.
        side: (padded(input_ids, -100, side), padded(positions, 0, side), padded(tokens, 0, side))
        for side in ("left", "right")
    }
    for batch, chosen, mask in batches.values():
        scored = token_logprobs(model, batch, chosen, attention_mask=mask)
        # Batches of other shapes round otherwise, and state space models add up the longest.
        torch.testing.assert_close(scored.double(), expected, atol=2e-5, rtol=2e-6)


@causal
def test_bfloat16_adds_no_error_of_its_own(name: str) -> None:
    model = build(name).to(torch.bfloat16)
    input_ids, positions = some_input()
    expected = naive_logprobs(lambda ids, _row: model(input_ids=ids), input_ids, positions)
    scored = token_logprobs(model, input_ids, positions)
    assert scored.dtype == torch.float32
    # The softmax is float32 on the very logits that the model gives, so all that is left is what
    # the model itself rounds differently in a batch than row by row.
    batched = model(input_ids=input_ids).logits.detach()
    same = torch.stack([batched[row, column - 1] for row, column in positions.nonzero()])
    exact = same.double().log_softmax(1).gather(1, input_ids[positions][:, None]).squeeze(1)
    torch.testing.assert_close(scored.double(), exact, atol=1e-5, rtol=1e-6)
    # 8 bits of mantissa: a step of 2^-8 of the largest logit, some of which add up over the layers.
    steps = 2**-8 * batched.abs().max().item()
    torch.testing.assert_close(scored.double(), expected, atol=16 * steps, rtol=0)


@causal
def test_only_positions_asked_for_pass_the_output_layer(name: str) -> None:
    model = build(name)
    input_ids, positions = some_input()
    # At the first call it is tried whether the model is causal.
    token_logprobs(model, input_ids, positions)
    seen: list[tuple[int, ...]] = []
    model.get_output_embeddings().register_forward_hook(
        lambda _m, args, _out: seen.append(tuple(args[0].shape[:-1]))
    )
    token_logprobs(model, input_ids, positions)
    assert accepts(model, "logits_to_keep") == (name != "trocr")
    assert seen == [(ROWS, TOKENS) if name == "trocr" else (int(positions.sum()),)]


@causal
def test_a_monitor_looks_at_it_and_leaves_it_as_it_was(name: str) -> None:
    model = build(name).train()
    next(model.children()).eval()
    panel = tiny_panel(documents=4, window=16)
    before = state_of(model)
    monitor = CollapseMonitor(panel, batch_size=5, sampling=BRIEF)
    monitor.start(model)
    reading = monitor.look(model, step=1)
    hidden = last_hidden_states(model, panel)
    assert state_of(model) == before
    assert reading["tail_retention"] == 1.0
    assert all(map(math.isfinite, reading.values()))
    assert hidden.shape == (int(panel.positions.sum()), model.get_output_embeddings().in_features)
    scores = score_panel(model, panel)
    expected = token_logprobs(model, panel.input_ids, panel.positions).double()
    torch.testing.assert_close(
        torch.from_numpy(scores.position_logprobs), expected, atol=2e-5, rtol=2e-6
    )
    tail = panel_logprobs(model, panel, at=panel.tail_positions, batch_size=3)
    torch.testing.assert_close(
        torch.from_numpy(tail), expected[panel.tail_positions[panel.positions]], atol=2e-5, rtol=0
    )


def state_of(model: torch.nn.Module) -> dict[str, object]:
    """Everything that a look could change: weights, buffers (saved or not), modes, randomness.

    RWKV alone has a mark of its own: in evaluation mode it scales its deeper layers down in place,
    and up again at the next forward pass in training mode, as after any evaluation.
    """
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    return {
        "tensors": {key: (t.tolist(), t.requires_grad, t.grad) for key, t in tensors.items()},
        "modules": {
            key: (
                module.training,
                len(module._forward_hooks) + len(module._forward_pre_hooks),
                {
                    attribute: value
                    for attribute, value in vars(module).items()
                    if isinstance(value, int | float | str | None)
                    and attribute != "layers_are_rescaled"
                },
            )
            for key, module in model.named_modules()
        },
        "random": torch.get_rng_state().tolist(),
        "config": model.config.to_dict(),
    }


@encoder_decoder
@pytest.mark.parametrize("adapted", [False, True], ids=["plain", "lora"])
def test_encoder_decoders_predict_the_decoders_text(name: str, adapted: bool) -> None:
    model: torch.nn.Module = build(name)
    if adapted:
        model = with_lora(model)
    input_ids, positions = some_input()
    input_ids[:, 0] = START
    generator = torch.Generator().manual_seed(1)
    read = torch.randint(2, VOCAB, (ROWS, 7), generator=generator)
    expected = naive_logprobs(
        lambda ids, row: model(input_ids=read[row : row + 1], decoder_input_ids=ids),
        input_ids,
        positions,
    )
    assert expected.std() > 0.3
    tokens = torch.ones_like(input_ids)
    for side in ("left", "right"):
        scored = token_logprobs(
            model,
            padded(input_ids, -100, side),
            padded(positions, 0, side),
            attention_mask=padded(tokens, 0, side),
            encoder_input_ids=torch.cat([read, torch.full((ROWS, 2), START)], 1),
            encoder_attention_mask=torch.cat(
                [torch.ones_like(read), torch.zeros(ROWS, 2, dtype=torch.int64)], 1
            ),
        )
        torch.testing.assert_close(scored.double(), expected, atol=1e-5, rtol=2e-6)
    scored = token_logprobs(model, input_ids, positions, encoder_input_ids=read)
    torch.testing.assert_close(scored.double(), expected, atol=1e-5, rtol=2e-6)
    other = token_logprobs(model, input_ids, positions, encoder_input_ids=read.flip(0))
    assert not torch.allclose(scored, other, atol=1e-3)


@encoder_decoder
def test_an_encoder_without_text_is_refused(name: str) -> None:
    model = build(name)
    input_ids, positions = some_input()
    with pytest.raises(ArgumentError, match=r"`encoder_input_ids` .* encoder-decoder, .* None"):
        token_logprobs(model, input_ids, positions)
    with pytest.raises(ArgumentError, match=r"`encoder_input_ids` expected .* \(4, encoder"):
        token_logprobs(model, input_ids, positions, encoder_input_ids=input_ids[:1])
    with pytest.raises(ArgumentError, match=r"`encoder_attention_mask` expected shape \(4, 12\)"):
        token_logprobs(
            model,
            input_ids,
            positions,
            encoder_input_ids=input_ids,
            encoder_attention_mask=torch.ones(4, 1),
        )
    with pytest.raises(ArgumentError, match="no encoder"):
        token_logprobs(build("llama"), input_ids, positions, encoder_input_ids=input_ids)
    with pytest.raises(ArgumentError, match="wrap the model"):
        CollapseMonitor(tiny_panel(), sampling=BRIEF).start(model)


class Prompted(torch.nn.Module):
    """An encoder-decoder whose encoder always reads one and the same prompt."""

    def __init__(self, model: PreTrainedModel, prompt_ids: torch.Tensor) -> None:
        super().__init__()
        self.model = model
        self.prompt_ids = prompt_ids

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        prompts = self.prompt_ids.expand(len(input_ids), -1)
        return self.model(input_ids=prompts, decoder_input_ids=input_ids).logits


@encoder_decoder
def test_a_monitor_looks_at_a_prompted_encoder_decoder(name: str) -> None:
    model = build(name)
    prompt = torch.tensor([3, 4, 5])
    panel = HeldOutPanel.from_token_ids(
        zipf_documents(4, seed=2), tiny_reference(), window=16, prefix=[START]
    )
    scores = score_panel(Prompted(model, prompt), panel)
    expected = token_logprobs(
        model,
        panel.input_ids,
        panel.positions,
        encoder_input_ids=prompt.expand(len(panel), -1),
    )
    torch.testing.assert_close(
        torch.from_numpy(scores.position_logprobs), expected.double(), atol=1e-5, rtol=0
    )
    monitor = CollapseMonitor(panel, sampling=BRIEF)
    assert monitor.start(Prompted(model, prompt))["tail_retention"] == 1.0


def test_a_model_that_ignores_its_mask_needs_the_alignment() -> None:
    """RWKV takes an attention mask and does not read it: left padding would be read as text."""
    model = build("rwkv")
    input_ids, _ = some_input()
    mask = padded(torch.ones_like(input_ids), 0, "left")
    output: SimpleNamespace = model(padded(input_ids, 7, "left"), attention_mask=mask)
    naive = model(input_ids).logits[0]
    assert (output.logits[0, PADDING : PADDING + TOKENS] - naive).abs().max() > 0.1
