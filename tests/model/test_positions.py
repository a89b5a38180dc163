import logging

import pytest
import torch
import transformers
from peft import PromptTuningConfig, get_peft_model

from collapse_guard import ArgumentError, CollapseMonitor, token_logprobs
from collapse_guard.model.forward import logits_of
from collapse_guard.model.positions import check_fits, position_limit
from tests.model.made import tiny_paligemma_config
from tests.tiny import BRIEF, VOCAB, tiny_gpt2, tiny_llama, tiny_opt, tiny_panel

SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
GPT = {"vocab_size": VOCAB, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 16}
BART = {
    "vocab_size": VOCAB,
    "d_model": 32,
    "decoder_layers": 1,
    "decoder_attention_heads": 2,
    "decoder_ffn_dim": 32,
    "max_position_embeddings": 16,
}
LLAMA = {**SIZES, "vocab_size": VOCAB, "intermediate_size": 64, "max_position_embeddings": 16}
# Class, settings of its config, and how many tokens it can read.
MODELS = {
    "gpt2": ("GPT2LMHeadModel", "GPT2Config", GPT, 16),
    "gptj": ("GPTJForCausalLM", "GPTJConfig", {**GPT, "rotary_dim": 4}, 16),
    "codegen": ("CodeGenForCausalLM", "CodeGenConfig", {**GPT, "rotary_dim": 4}, 16),
    "ctrl": ("CTRLLMHeadModel", "CTRLConfig", {**GPT, "dff": 32}, 16),
    "opt": (
        "OPTForCausalLM",
        "OPTConfig",
        {**LLAMA, "ffn_dim": 32, "word_embed_proj_dim": 32},
        16,
    ),
    "bart": ("BartForCausalLM", "BartConfig", BART, 16),
    "pegasus": ("PegasusForCausalLM", "PegasusConfig", BART, 16),
    "bert": ("BertLMHeadModel", "BertConfig", {**LLAMA, "is_decoder": True}, 16),
    # Its padding takes the first two rows of its table.
    "roberta": (
        "RobertaForCausalLM",
        "RobertaConfig",
        {**LLAMA, "is_decoder": True, "pad_token_id": 1},
        14,
    ),
    "mpt": (
        "MptForCausalLM",
        "MptConfig",
        {"vocab_size": VOCAB, "d_model": 32, "n_layers": 1, "n_heads": 2, "max_seq_len": 16},
        16,
    ),
    # Its table grows.
    "xglm": (
        "XGLMForCausalLM",
        "XGLMConfig",
        {
            "vocab_size": VOCAB,
            "d_model": 32,
            "ffn_dim": 32,
            "num_layers": 1,
            "attention_heads": 2,
            "max_position_embeddings": 16,
        },
        None,
    ),
    "llama": ("LlamaForCausalLM", "LlamaConfig", LLAMA, None),
    "bloom": (
        "BloomForCausalLM",
        "BloomConfig",
        {"vocab_size": VOCAB, "hidden_size": 32, "n_layer": 1, "n_head": 2},
        None,
    ),
    "rwkv": (
        "RwkvForCausalLM",
        "RwkvConfig",
        {"vocab_size": VOCAB, "hidden_size": 32, "num_hidden_layers": 2, "context_length": 16},
        None,
    ),
    "mamba": (
        "MambaForCausalLM",
        "MambaConfig",
        {"vocab_size": VOCAB, "hidden_size": 32, "num_hidden_layers": 1, "state_size": 4},
        None,
    ),
}


@pytest.mark.parametrize("name", list(MODELS))
def test_the_limit_is_where_the_model_itself_fails(name: str) -> None:
    model_class, config_class, settings, limit = MODELS[name]
    config = getattr(transformers, config_class)(**settings)
    model = getattr(transformers, model_class)(config).eval()
    assert position_limit(model) == limit
    ids = torch.arange(2, 42).repeat(2)[None]
    with torch.no_grad():
        model(input_ids=ids[:, : limit or 80])
        if limit is not None:
            with pytest.raises((IndexError, RuntimeError, ValueError)):
                model(input_ids=ids[:, : limit + 1])


def test_t5_has_none() -> None:
    config = transformers.T5Config(
        vocab_size=VOCAB, d_model=16, d_kv=4, d_ff=32, num_layers=1, num_heads=4, n_positions=32
    )
    assert position_limit(transformers.T5ForConditionalGeneration(config)) is None


class Own(torch.nn.Module):
    """Written by hand, without a config."""

    def __init__(self) -> None:
        super().__init__()
        self.tok_emb = torch.nn.Embedding(VOCAB, 8)
        self.pos_emb = torch.nn.Embedding(16, 8)
        self.head = torch.nn.Linear(8, VOCAB)

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        at = torch.arange(input_ids.shape[1])
        return self.head(self.tok_emb(input_ids) + self.pos_emb(at))


class Around(torch.nn.Module):
    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        return logits_of(self.model(input_ids))


@pytest.mark.parametrize("make", [lambda: tiny_gpt2(positions=16), Own])
@pytest.mark.parametrize("wrap", [lambda model: model, Around], ids=["plain", "wrapped"])
def test_a_longer_window_is_refused_before_the_first_forward(make, wrap) -> None:
    model, panel = wrap(make()), tiny_panel(window=32)
    called: list[object] = []
    model.register_forward_pre_hook(lambda *_: called.append(_))
    with pytest.raises(ArgumentError, match=r"at most 16 tokens .* 16 positions.* got '32 tokens'"):
        CollapseMonitor(panel, sampling=BRIEF).start(model)
    with pytest.raises(ArgumentError, match="at most 16 tokens"):
        token_logprobs(model, panel.input_ids, panel.positions)
    assert not called
    CollapseMonitor(tiny_panel(window=16), sampling=BRIEF).start(model)


def test_the_last_window_that_fits() -> None:
    CollapseMonitor(tiny_panel(window=64), sampling=BRIEF).start(tiny_opt())


def test_virtual_tokens_take_positions_too() -> None:
    model = get_peft_model(
        tiny_gpt2(positions=32), PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=8)
    )
    with pytest.raises(ArgumentError, match=r"at most 24 tokens .* 32 positions, 8 of them"):
        check_fits("panel", model, 25)
    check_fits("panel", model, 24)


def test_a_stated_number_without_a_table_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    model, panel = tiny_llama(), tiny_panel(documents=4, window=96)
    with caplog.at_level(logging.WARNING, logger="collapse_guard"):
        monitor = CollapseMonitor(tiny_panel(window=64), rules=[], sampling=BRIEF)
        monitor.start(model)
        assert not caplog.messages
        monitor = CollapseMonitor(panel, rules=[], sampling=BRIEF)
        monitor.start(model)
        monitor.look(model, step=1)
    (message,) = caplog.messages
    assert "reads 96 tokens" in message
    assert "states 64 positions" in message


def test_a_table_of_a_vision_tower_is_none_of_the_texts() -> None:
    config = tiny_paligemma_config(max_position_embeddings=16)
    model = transformers.PaliGemmaForConditionalGeneration(config)
    assert position_limit(model) is None
    assert position_limit(Around(model)) is None
