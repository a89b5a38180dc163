import math
from types import SimpleNamespace

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import PreTrainedModel

from collapse_guard import ArgumentError, ScoringError, TokenizerMismatchError, token_logprobs
from collapse_guard.model.forward import accepts
from tests.model.made import ROWS, TOKENS, some_input
from tests.tiny import VOCAB, tiny_gpt2, tiny_llama, tiny_opt


def naive_logprobs(
    model: torch.nn.Module, input_ids: torch.Tensor, positions: torch.Tensor
) -> list[float]:
    """Row by row without any padding, full logits, float64 softmax with Python's own sum."""
    model.eval()
    expected = []
    for ids, chosen in zip(input_ids, positions, strict=True):
        with torch.no_grad():
            logits = model(input_ids=ids[None]).logits[0].double()
        for i in range(len(ids)):
            if chosen[i]:
                row = logits[i - 1].tolist()
                top = max(row)
                total = math.fsum(math.exp(x - top) for x in row)
                expected.append(row[ids[i]] - top - math.log(total))
    return expected


@pytest.mark.parametrize("make", [tiny_gpt2, tiny_llama, tiny_opt])
def test_matches_a_float64_loop(make) -> None:
    model = make()
    input_ids, positions = some_input()
    scored = token_logprobs(model, input_ids, positions)
    assert scored.dtype == torch.float32
    torch.testing.assert_close(
        scored.double(),
        torch.tensor(naive_logprobs(model, input_ids, positions), dtype=torch.float64),
        atol=2e-6,
        rtol=0,
    )


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("make", [tiny_gpt2, tiny_llama, tiny_opt])
def test_padding_changes_nothing(make, side: str) -> None:
    model = make()
    input_ids, positions = some_input()
    padding = torch.full((ROWS, 5), 7)
    parts = [padding, input_ids] if side == "left" else [input_ids, padding]
    blank = torch.zeros(ROWS, 5, dtype=torch.bool)
    chosen = [blank, positions] if side == "left" else [positions, blank]
    seen = [blank, ~blank.new_zeros(ROWS, TOKENS)]
    padded = token_logprobs(
        model,
        torch.cat(parts, 1),
        torch.cat(chosen, 1),
        attention_mask=torch.cat(seen if side == "left" else seen[::-1], 1),
    )
    torch.testing.assert_close(padded, token_logprobs(model, input_ids, positions))


def test_only_the_chosen_positions_pass_the_output_layer() -> None:
    model = tiny_llama()
    input_ids, positions = some_input()
    # At the first call it is tried whether the model is causal.
    token_logprobs(model, input_ids, positions)
    widths = []
    model.lm_head.register_forward_hook(lambda _m, args, _out: widths.append(args[0].shape[:-1]))
    token_logprobs(model, input_ids, positions)
    assert widths == [(int(positions.sum()),)]


class FullLogits(torch.nn.Module):
    """Takes `logits_to_keep` and ignores it, or knows nothing of it."""

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        self.model = model


class IgnoresTheWish(FullLogits):
    def forward(self, input_ids: torch.Tensor, logits_to_keep: object = None) -> SimpleNamespace:
        return SimpleNamespace(logits=self.model(input_ids).logits)


class BareTensor(FullLogits):
    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        return self.model(input_ids).logits


class Tuple(FullLogits):
    def forward(self, input_ids: torch.Tensor, **kwargs: object) -> tuple[torch.Tensor]:
        assert not kwargs
        return (self.model(input_ids).logits,)


@pytest.mark.parametrize("wrapper", [IgnoresTheWish, BareTensor, Tuple])
def test_falls_back_to_full_logits(wrapper: type[FullLogits]) -> None:
    model = tiny_llama()
    input_ids, positions = some_input()
    torch.testing.assert_close(
        token_logprobs(wrapper(model), input_ids, positions),
        token_logprobs(model, input_ids, positions),
    )


def test_bfloat16_within_its_own_error() -> None:
    model = tiny_llama()
    input_ids, positions = some_input()
    full = token_logprobs(model, input_ids, positions)
    half = token_logprobs(model.to(torch.bfloat16), input_ids, positions)
    assert half.dtype == torch.float32
    # 8 bits of mantissa on logits of a few units.
    torch.testing.assert_close(half, full, atol=0.1, rtol=0)


def test_logit_gap_of_120_does_not_underflow() -> None:
    class Certain(torch.nn.Module):
        def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
            logits = torch.zeros(*input_ids.shape, 2, dtype=torch.bfloat16)
            logits[..., 0] = 120
            return logits

    scored = token_logprobs(Certain(), torch.tensor([[0, 1]]), torch.tensor([[False, True]]))
    assert scored.tolist() == [-120.0]


def test_peft_models() -> None:
    input_ids, positions = some_input()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        adapted = get_peft_model(
            tiny_llama(), LoraConfig(r=2, target_modules="all-linear", init_lora_weights=False)
        )
    assert accepts(adapted, "logits_to_keep")
    scored = token_logprobs(adapted, input_ids, positions)
    merged = adapted.merge_and_unload()
    # Merged weights are rounded once more.
    torch.testing.assert_close(
        scored, token_logprobs(merged, input_ids, positions), atol=1e-4, rtol=1e-4
    )
    with pytest.raises(AssertionError):
        torch.testing.assert_close(scored, token_logprobs(tiny_llama(), input_ids, positions))


def test_large_inputs_are_softmaxed_in_blocks(monkeypatch) -> None:
    model = tiny_llama()
    input_ids, positions = some_input()
    whole = token_logprobs(model, input_ids, positions)
    monkeypatch.setattr("collapse_guard.model.logprobs._ELEMENTS_AT_A_TIME", 3 * VOCAB)
    torch.testing.assert_close(token_logprobs(model, input_ids, positions), whole)


def test_no_position_gives_no_score() -> None:
    input_ids, positions = some_input()
    assert token_logprobs(tiny_llama(), input_ids, positions & False).shape == (0,)


@pytest.mark.parametrize("poison", [math.nan, math.inf])
def test_logits_that_are_not_finite_are_named(poison: float) -> None:
    class Poisoned(torch.nn.Module):
        def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
            logits = torch.zeros(*input_ids.shape, 5)
            logits[1, 2, 3] = poison
            return logits

    positions = torch.ones(2, 4, dtype=torch.bool)
    positions[:, 0] = False
    with pytest.raises(ScoringError, match=r"at row 1, position 3, .* at 1 of 6 positions"):
        token_logprobs(Poisoned(), torch.ones(2, 4, dtype=torch.int64), positions)


@pytest.mark.parametrize("wrong", [-1, VOCAB, VOCAB + 7])
def test_token_ids_that_the_model_does_not_have(wrong: int) -> None:
    input_ids, positions = some_input()
    input_ids[1, 3] = wrong
    message = rf"token id {wrong} in `input_ids` is not in the model's vocabulary of {VOCAB} types"
    with pytest.raises(TokenizerMismatchError, match=message):
        token_logprobs(tiny_llama(), input_ids, positions)

    class NamesNoEmbeddings(torch.nn.Module):
        def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
            return torch.zeros(*input_ids.shape, VOCAB)

    positions[1, 3] = True
    with pytest.raises(TokenizerMismatchError, match=message):
        token_logprobs(NamesNoEmbeddings(), input_ids, positions)


def test_bad_arguments() -> None:
    model = tiny_llama()
    input_ids, positions = some_input()
    with pytest.raises(ArgumentError, match="`input_ids`"):
        token_logprobs(model, input_ids[0], positions[0])
    with pytest.raises(ArgumentError, match="`positions` expected bool of shape"):
        token_logprobs(model, input_ids, positions[:, 1:])
    with pytest.raises(ArgumentError, match="`positions` expected bool of shape"):
        token_logprobs(model, input_ids, positions.int())
    with pytest.raises(ArgumentError, match="`input_ids` expected integer token ids"):
        token_logprobs(model, input_ids.float(), positions)
    with pytest.raises(ArgumentError, match="False in column 0"):
        token_logprobs(model, input_ids, torch.ones_like(positions))
    with pytest.raises(ArgumentError, match="`attention_mask`"):
        token_logprobs(model, input_ids, positions, attention_mask=torch.ones(1, 1))
    mask = torch.ones_like(input_ids)
    mask[0, :5] = 0
    positions[0] = torch.arange(TOKENS) == 5
    with pytest.raises(ArgumentError, match="predecessor is a token too"):
        token_logprobs(model, input_ids, positions, attention_mask=mask)
