"""Finding samplers that are known, and leaving everything as it was."""

import random
from typing import Any

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, T5Config, T5ForConditionalGeneration

from collapse_guard import HeldOutPanel, HumanReference
from collapse_guard.errors import ArgumentError, PanelError, TokenizerMismatchError
from collapse_guard.finder.find import find_decoding
from collapse_guard.finder.search import DecodingSearch
from collapse_guard.model.decoding import PLAIN, Decoding
from collapse_guard.random_states import random_states
from tests.callbacks.witness import digest
from tests.finder.markov import (
    TYPES,
    Chain,
    adam,
    human_documents,
    learnt_chain,
    written_rows,
)
from tests.tiny import tiny_gpt2

TEMPERATURES = [Decoding(temperature=each / 10) for each in (11, 9, 8, 7, 6, 5)]


def descent(parameters: list[torch.nn.Parameter]) -> torch.optim.Optimizer:
    # Not Adam, which moves a table of rare types even where gradients are 0 on average.
    return torch.optim.SGD(parameters, lr=20.0)


def search(model: torch.nn.Module | None = None, **settings: Any) -> DecodingSearch:
    model = learnt_chain() if model is None else model
    usual = {
        "rows": written_rows(learnt_chain(), Decoding(temperature=0.7), count=64),
        "held_out": human_documents(40, seed=9),
        "optimizer": descent,
        "steps": 4,
        "batch_size": 8,
    }
    usual.update(settings)
    return find_decoding(model, usual.pop("rows"), usual.pop("held_out"), **usual)


def human_rows(count: int, seed: int) -> list[dict[str, Any]]:
    return [{"input_ids": row} for row in human_documents(count, seed=seed)]


@pytest.mark.parametrize(
    ("drawn", "expected"),
    [(Decoding(temperature=0.7), 0.7), (PLAIN, 1.0), (None, 1.0)],
    ids=["T .7", "T 1", "human text"],
)
def test_a_temperature_is_found(drawn: Decoding | None, expected: float) -> None:
    rows = human_rows(400, 5) if drawn is None else written_rows(learnt_chain(), drawn, count=400)
    found = search(
        rows=rows,
        held_out=human_documents(200, seed=9),
        candidates=TEMPERATURES,
        steps=24,
        batch_size=16,
    )
    assert found.decoding.temperature == pytest.approx(expected, abs=0.1)
    assert found.told_apart_from_plain == (drawn == Decoding(temperature=0.7))
    assert found.documents == 200


def test_tokens_that_nobody_drew_say_nothing_about_the_sampler() -> None:
    """Rows whose second half is human text, and marked so."""
    rows = written_rows(learnt_chain(), Decoding(temperature=0.6), count=400)
    for row, human in zip(rows, human_documents(400, seed=5), strict=True):
        half = len(human) // 2
        row["input_ids"] = row["input_ids"][:half] + human[half:].tolist()
        row["drawn_mask"] = [1] * half + [0] * half
    settings = {"candidates": TEMPERATURES, "steps": 24, "batch_size": 16}
    told = search(rows=rows, **settings)
    assert told.decoding.temperature == pytest.approx(0.6, abs=0.1)
    for row in rows:
        del row["drawn_mask"]
    untold = search(rows=rows, **settings)
    assert untold.decoding.temperature > told.decoding.temperature + 0.1


def test_the_same_seed_gives_the_same_numbers_whatever_the_user_draws() -> None:
    def numbers(seed: int, users: int) -> list[Any]:
        torch.manual_seed(users), np.random.seed(users), random.seed(users)
        found = search(learnt_chain(dropout=0.2), seed=seed, optimizer=adam())
        return [(each.decoding, each.human_nll, each.interval) for each in found.trials]

    assert numbers(0, users=1) == numbers(0, users=2) != numbers(1, users=1)


@pytest.mark.parametrize("fails", [False, True], ids=["", "raising"])
def test_the_model_is_left_as_it_was(fails: bool) -> None:
    model = learnt_chain(dropout=0.3)
    model.table.weight.grad = torch.ones_like(model.table.weight)
    calls = 0

    def progress(_: str) -> None:
        nonlocal calls
        calls += 1
        if fails and calls == 3:
            raise ZeroDivisionError

    def state() -> list[Any]:
        gradient = model.table.weight.grad
        values = [*model.parameters(), *model.buffers(), gradient]
        return [digest(values), id(gradient), model.training, random_states()]

    before = state()
    if fails:
        with pytest.raises(ZeroDivisionError):
            search(model, progress=progress)
    else:
        search(model, progress=progress)
    assert state() == before


def test_a_training_goes_on_as_if_nothing_had_been() -> None:
    def train(look: bool) -> str:
        torch.manual_seed(0)
        model = tiny_gpt2(dropout=0.2).train()
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
        for step in range(6):
            ids = torch.randint(TYPES, (4, 12))
            model(input_ids=ids, labels=ids).loss.backward()
            if look and step == 2:
                search(model, optimizer=adam(), candidates=TEMPERATURES[:2])
            optimizer.step()
            optimizer.zero_grad()
        return digest(model.state_dict())

    assert train(look=True) == train(look=False)


def test_what_it_took_is_told() -> None:
    told: list[str] = []
    found = search(progress=told.append)
    # 20 candidates after 1 step, 11 after 2 and 7 after 4, and then what a temperature asks for.
    assert found.steps >= 20 + 11 + 2 * 7
    assert len(told) >= 20 + 11 + 7
    assert all("nats a token" in line for line in told)
    assert found.seconds > 0
    assert found.notes == ()


def test_a_limit_of_time_leaves_candidates_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a clock that passes of the model drive: a second for each, and three in training."""
    now = 0.0

    def tick(*_: object) -> None:
        nonlocal now
        now += 3.0 if torch.is_grad_enabled() else 1.0

    monkeypatch.setattr("collapse_guard.finder.find.perf_counter", lambda: now)
    model = learnt_chain()
    model.register_forward_hook(tick)
    settings: dict[str, Any] = {"held_out": human_documents(8, seed=9), "steps": 8}
    whole = search(model, **settings)
    assert whole.notes == ()
    found = search(model, max_seconds=whole.seconds / 2, **settings)
    assert found.seconds <= whole.seconds / 2
    assert len(found.trials) < 20
    assert f"to stay within {whole.seconds / 2:g} s" in found.notes[0]
    with pytest.raises(ArgumentError, match="`max_seconds` expected at least"):
        search(model, max_seconds=10.0, **settings)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"steps": 0}, ArgumentError, "`steps`"),
        ({"batch_size": 0}, ArgumentError, "`batch_size`"),
        ({"micro_batch_size": 0}, ArgumentError, "`micro_batch_size`"),
        ({"max_windows": 1}, ArgumentError, "`max_windows`"),
        ({"seed": -1}, ArgumentError, "`seed`"),
        ({"max_seconds": 0}, ArgumentError, "`max_seconds`"),
        ({"candidates": []}, ArgumentError, "`candidates`"),
        ({"rows": [{"input_ids": [1]}]}, ArgumentError, "rows of at least 2 tokens"),
        ({"held_out": [[1, 2, 3]]}, PanelError, "fewer than 2 different documents"),
        ({"rows": [{"input_ids": [1, TYPES]}]}, TokenizerMismatchError, "`rows`"),
        ({"held_out": [[1, TYPES], [2, 3]]}, TokenizerMismatchError, f"token id {TYPES}"),
        ({"held_out": human_documents(4, seed=7)}, PanelError, "`held_out` and `rows` share text"),
        ({"held_out": human_documents(3, seed=8)}, PanelError, "`held_out` and `judge` share text"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_trained(
    settings: dict[str, Any], error: type[Exception], message: str
) -> None:
    reference = HumanReference.from_token_ids(human_documents(50, seed=3), vocab_size=TYPES)
    judge = HeldOutPanel.from_token_ids(human_documents(3, seed=8), reference, window=16)
    rows = settings.pop("rows", human_rows(4, 7))
    model = Named()
    with pytest.raises(error, match=message):
        search(model, rows=rows, judge=judge, **settings)
    assert model.passes == 0 or "held_out" in settings


class Named(Chain):
    """Says which embedding it looks ids up in, and counts its passes in training mode."""

    passes = 0

    def get_input_embeddings(self) -> torch.nn.Module:
        return self.table

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        self.passes += torch.is_grad_enabled()
        return super().forward(input_ids)


def test_rows_longer_than_the_model_can_read_are_refused() -> None:
    with pytest.raises(ArgumentError, match="at most 16 tokens a row"):
        search(tiny_gpt2(positions=16))


def test_an_encoder_decoder_is_refused() -> None:
    config = T5Config(
        vocab_size=TYPES, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2,
        decoder_start_token_id=0,
    )  # fmt: skip
    with pytest.raises(ArgumentError, match="`model` expected a causal language model"):
        search(T5ForConditionalGeneration(config))


@pytest.fixture(scope="module")
def llama() -> LlamaForCausalLM:
    """A small Llama, trained for some seconds on human text of the chain."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = LlamaForCausalLM(
            LlamaConfig(
                vocab_size=TYPES, hidden_size=32, intermediate_size=64, num_hidden_layers=1,
                num_attention_heads=2, num_key_value_heads=2, max_position_embeddings=64,
                tie_word_embeddings=False,
            )
        )  # fmt: skip
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
        schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.05, total_iters=300)
        text = torch.tensor(np.array(human_documents(4800, seed=1)))
        for batch in text.split(16):
            model(input_ids=batch, labels=batch).loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
    return model.eval()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("drawn", "expected"),
    [(Decoding(temperature=0.7), 0.7), (PLAIN, 1.0), (None, 1.0)],
    ids=["T .7", "T 1", "human text"],
)
def test_a_transformer_s_temperature_is_found(
    llama: LlamaForCausalLM, drawn: Decoding | None, expected: float
) -> None:
    rows = human_rows(384, 5) if drawn is None else written_rows(llama, drawn, count=384)
    found = find_decoding(
        llama,
        rows,
        human_documents(200, seed=9),
        optimizer=lambda parameters: torch.optim.AdamW(parameters, lr=3e-3),
        candidates=TEMPERATURES,
        max_grad_norm=1.0,
    )
    print(found)
    apart = found.decoding.temperature == pytest.approx(expected, abs=0.1)
    assert apart or (drawn != Decoding(temperature=0.7) and not found.told_apart_from_plain)


@pytest.mark.slow
def test_a_cut_is_found_among_the_usual_samplers(llama: LlamaForCausalLM) -> None:
    drawn = Decoding(top_k=20)
    found = find_decoding(
        llama,
        written_rows(llama, drawn, count=384),
        human_documents(200, seed=9),
        optimizer=lambda parameters: torch.optim.AdamW(parameters, lr=3e-3),
        max_grad_norm=1.0,
    )
    print(found)
    assert found.told_apart_from_plain
    assert found.decoding.cuts
