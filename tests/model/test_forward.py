"""Models are called alike, whatever they are wrapped in and return."""

import math
from copy import deepcopy
from types import SimpleNamespace

import pytest
import torch
from peft import PrefixTuningConfig, PromptEncoderConfig, PromptTuningConfig, get_peft_model
from transformers import PreTrainedModel

from collapse_guard import (
    CollapseMonitor,
    EveryNSteps,
    HeldOutPanel,
    HumanReference,
    ScoringError,
    token_logprobs,
)
from collapse_guard.model import forward
from collapse_guard.model.forward import in_batches, innermost, virtual_tokens
from collapse_guard.readings.panel_logprobs import panel_logprobs
from collapse_guard.readings.panel_sums import score_bands, score_panel
from tests.model.made import some_input
from tests.tiny import BRIEF, VOCAB, tiny_gpt2, tiny_llama, tiny_opt, tiny_panel, zipf_documents


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


VIRTUAL = {
    "prompt tuning": PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=8),
    "p-tuning": PromptEncoderConfig(
        task_type="CAUSAL_LM", num_virtual_tokens=8, encoder_hidden_size=16
    ),
    "prefix tuning": PrefixTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=8),
}


@pytest.mark.parametrize("make", [tiny_gpt2, tiny_llama, tiny_opt])
@pytest.mark.parametrize("name", list(VIRTUAL))
def test_virtual_tokens_give_the_value_of_a_forward_by_hand(name: str, make) -> None:
    panel = tiny_panel()
    ids = panel.input_ids
    base = make()
    expected_of_base = token_logprobs(base, ids, panel.positions)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = get_peft_model(base, deepcopy(VIRTUAL[name])).eval()
    assert virtual_tokens(model) == 8
    with torch.no_grad():
        logits = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
    logprobs = logits[:, -ids.shape[1] : -1].log_softmax(-1)
    expected = logprobs.gather(2, ids[:, 1:, None]).flatten()
    scored = token_logprobs(model, ids, panel.positions)
    torch.testing.assert_close(scored, expected, atol=2e-5, rtol=0)
    assert (scored - expected_of_base).abs().max() > 1e-3
    # With the adapter off there are no virtual tokens, though the config still names some.
    with model.disable_adapter():
        off = token_logprobs(model, ids, panel.positions)
    torch.testing.assert_close(off, expected_of_base, atol=2e-5, rtol=0)
    reading = CollapseMonitor(panel, against_base=True, sampling=BRIEF).start(model)
    assert reading["tail_retention_vs_base"] != 1.0


def test_a_model_without_adapters_has_no_virtual_tokens() -> None:
    assert virtual_tokens(tiny_gpt2()) == 0


class ViewOfAParameter(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.bias = torch.nn.Parameter(torch.linspace(-1, 1, VOCAB))

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        return self.bias.expand(*input_ids.shape, VOCAB)


class LearnsWhileItReads(torch.nn.Module):
    """As layers with training at test time do."""

    def __init__(self) -> None:
        super().__init__()
        self.table = torch.nn.Embedding(VOCAB, VOCAB)

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        with torch.enable_grad():
            return self.table(input_ids)


@pytest.mark.parametrize("make", [ViewOfAParameter, LearnsWhileItReads])
def test_logits_that_ask_for_a_gradient(make: type[torch.nn.Module]) -> None:
    panel, model = tiny_panel(), make()
    with torch.no_grad():
        table = model(panel.input_ids).log_softmax(-1)
    expected = table[:, :-1].gather(2, panel.input_ids[:, 1:, None]).flatten()
    before = [parameter.clone() for parameter in model.parameters()]
    scored = token_logprobs(model, panel.input_ids, panel.positions)
    assert not scored.requires_grad
    torch.testing.assert_close(scored, expected)
    scores = score_panel(model, panel)
    assert scores.logprob.sum() == pytest.approx(float(expected.sum()), rel=1e-5)
    monitor = CollapseMonitor(panel, pace=EveryNSteps(1), sampling=BRIEF)
    monitor.start(model)
    assert all(map(math.isfinite, monitor.observe(model, 1).values()))
    assert all(map(torch.equal, before, model.parameters()))
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize(
    ("tokens", "vocab_size", "most", "expected"),
    [(64, 65_536, 16, 16), (64, 131_072, 16, 8), (64, 65_536, 3, 3), (4_096, 262_144, 16, 1)],
)
def test_as_many_as_their_logits_allow(
    tokens: int, vocab_size: int, most: int, expected: int
) -> None:
    model, rows = torch.nn.Linear(1, 1), torch.arange(40)
    found = in_batches(model, rows, tokens=tokens, vocab_size=vocab_size, most=most)
    assert {len(batch) for batch in found[:-1]} == {expected}
    assert torch.cat(found).equal(rows)


def test_no_rows_are_no_batch() -> None:
    model, none = torch.nn.Linear(1, 1), torch.arange(0)
    assert in_batches(model, none, tokens=64, vocab_size=50, most=16) == ()


class CountsTokens(torch.nn.Module):
    """Gives logits at all positions, and notes how many tokens it was given."""

    def __init__(self, vocab_size: int, given: list[int]) -> None:
        super().__init__()
        self.table = torch.nn.Embedding(vocab_size, 4)
        self.out = torch.nn.Linear(4, vocab_size)
        self.config = SimpleNamespace(bos_token_id=0)
        # In a function: of what a module keeps, a look leaves nothing.
        self.note = given.append

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        self.note(input_ids.numel())
        logits: torch.Tensor = self.out(self.table(input_ids))
        return logits


def test_a_look_gives_a_model_no_more_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    vocab_size = 4_096
    monkeypatch.setattr(forward, "_LOGITS", 2 * 32 * vocab_size)
    documents = zipf_documents(6, length=32)
    reference = HumanReference.from_token_ids(zipf_documents(40, seed=1), vocab_size=vocab_size)
    panel = HeldOutPanel.from_token_ids(documents, reference, window=32)
    given: list[int] = []
    model = CountsTokens(vocab_size, given)
    score_panel(model, panel)
    score_bands(model, panel, torch.arange(5))
    CollapseMonitor(panel, rules=[], sampling=BRIEF).start(model)
    assert max(given) == 2 * 32


def test_what_is_read_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    model, panel = tiny_gpt2(), tiny_panel()
    whole = panel_logprobs(model, panel)
    monkeypatch.setattr(forward, "_LOGITS", 1)
    assert panel_logprobs(model, panel) == pytest.approx(whole, abs=1e-5)
