"""Temperatures of text whose sampler is known, and what is said of them."""

import json
import math
import random
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import T5Config, T5ForConditionalGeneration

from collapse_guard import Decoding, Source
from collapse_guard.audit import EffectiveTemperature, effective_temperature
from collapse_guard.errors import ArgumentError, ScoringError, TokenizerMismatchError
from tests.audit.bigrams import Bigrams, drawn_rows, likeliest
from tests.tiny import VOCAB, perturb, tiny_gpt2, tiny_llama

SHARPER, FLATTER, ALIKE, UNTOLD = (
    "sharper than this model writes",
    "flatter than this model writes",
    "as this model writes",
    "cannot be told",
)


def judged(found: EffectiveTemperature) -> str:
    return found.verdict.split(":")[0].split(",")[0]


@pytest.mark.parametrize("temperature", [0.5, 0.7, 0.8, 1.0, 1.4])
def test_own_text_reads_the_temperature_that_it_was_drawn_at(temperature: float) -> None:
    model = tiny_llama()
    rows = drawn_rows(model, Decoding(temperature), rows=160, prompt=[0, 7])
    found = effective_temperature(rows, model, is_generator=True)
    assert abs(found.temperature - temperature) < 3 * found.standard_error < 0.1
    assert found.interval[0] < found.temperature < found.interval[1]
    assert (found.rows, found.tokens, found.documents) == (160, 160 * 32 / 4, 160)
    assert found.decoding == Decoding(round(found.temperature, 4))
    expected = {0.5: SHARPER, 0.7: SHARPER, 0.8: SHARPER, 1.0: ALIKE, 1.4: FLATTER}
    assert judged(found) == expected[temperature]


def test_it_is_the_likeliest_over_all_logits() -> None:
    model = tiny_gpt2()
    rows = [
        {
            "input_ids": [0] * pad + row["input_ids"],
            "attention_mask": [0] * pad + [1] * 17,
            "drawn_mask": [0] * pad + row["drawn_mask"],
        }
        for pad, row in enumerate(drawn_rows(model, Decoding(0.6), rows=20, length=16))
    ]
    found = effective_temperature(rows, model, every=1)
    ids = torch.tensor([row["input_ids"][-17:] for row in rows])
    with torch.no_grad():
        logits = model(ids).logits[:, :-1]
    expected = likeliest(logits.flatten(0, 1), ids[:, 1:].flatten())
    assert found.temperature == pytest.approx(expected, rel=1e-5)


def test_the_error_is_that_of_leaving_documents_out() -> None:
    model = Bigrams(30)
    parts = [
        drawn_rows(model, Decoding(temperature), rows=3, length=12, seed=seed)
        for seed, temperature in enumerate(np.linspace(0.5, 1.1, 24))
    ]
    rows, owners = [row for part in parts for row in part], np.repeat(np.arange(24), 3)
    found = effective_temperature(rows, model, documents=owners, every=1)
    ids = torch.tensor([row["input_ids"] for row in rows])
    without = []
    for left_out in range(24):
        kept = ids[torch.from_numpy(owners != left_out)]
        without.append(likeliest(model.table[kept[:, :-1]].flatten(0, 1), kept[:, 1:].flatten()))
    jackknife = math.sqrt(23 / 24 * np.sum((without - np.mean(without)) ** 2))
    assert found.standard_error == pytest.approx(jackknife, rel=0.1)
    assert found.documents == 24


def test_rows_of_one_document_are_not_counted_as_many() -> None:
    model = Bigrams(30)
    rows = drawn_rows(model, Decoding(0.8), rows=40)
    once = effective_temperature(rows, model, every=1)
    copies, owners = rows * 4, list(range(40)) * 4
    owned = effective_temperature(copies, model, documents=owners, every=1)
    alone = effective_temperature(copies, model, every=1)
    for found in (owned, alone):
        assert found.temperature == pytest.approx(once.temperature, rel=1e-5)
    assert owned.standard_error == pytest.approx(once.standard_error, rel=1e-5)
    assert owned.interval == pytest.approx(once.interval, rel=1e-5)
    assert alone.standard_error == pytest.approx(once.standard_error / 2, rel=0.02)


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """Documents have temperatures of their own, so that their tokens depend on each other."""
    model, documents, runs = Bigrams(12), 24, 250
    generator = np.random.default_rng(0)

    def draw(count: int) -> np.ndarray:
        temperatures = np.exp(generator.normal(-0.2, 0.3, count))
        table = model.table.detach().double().numpy()
        tokens = np.zeros((count, 17), dtype=np.int64)
        for place in range(16):
            scaled = table[tokens[:, place]] / temperatures[:, None]
            scaled += generator.gumbel(size=scaled.shape)
            tokens[:, place + 1] = scaled.argmax(1)
        return tokens

    many = torch.from_numpy(draw(20_000))
    truth = likeliest(model.table[many[:, :-1]].flatten(0, 1), many[:, 1:].flatten())
    inside, shares = 0, []
    for _ in range(runs):
        found = effective_temperature(draw(documents), model, every=1, batch_size=documents)
        inside += found.interval[0] < truth < found.interval[1]
        shares.append((found.temperature - truth) / found.standard_error)
    # Of 24 documents the error itself is known to 15%, which Student's law only allows for.
    assert stats.binom.ppf(0.001, runs, 0.94) <= inside <= stats.binom.ppf(0.999, runs, 0.96)


def test_batches_do_not_matter_and_every_token_says_the_same() -> None:
    model = tiny_llama()
    rows = drawn_rows(model, Decoding(0.8), rows=60)
    one, other = (effective_temperature(rows, model, batch_size=size) for size in (60, 7))
    assert one.temperature == pytest.approx(other.temperature, rel=1e-5)
    assert one.standard_error == pytest.approx(other.standard_error, rel=1e-4)
    whole = effective_temperature(rows, model, every=1)
    assert whole.tokens == 60 * 32
    assert whole.standard_error < one.standard_error
    assert abs(whole.temperature - one.temperature) < 3 * one.standard_error


def test_a_prefix_stands_before_rows_that_lack_it() -> None:
    model = tiny_llama()
    rows = drawn_rows(model, Decoding(0.8), rows=30)
    bare = [row["input_ids"][1:] for row in rows]
    with_it = effective_temperature(bare, model, prefix=[0], every=1)
    assert with_it == effective_temperature(rows, model, every=1)
    assert with_it != effective_temperature(bare, model, every=1)


def test_prompts_are_context_only() -> None:
    model = tiny_llama()
    generator = np.random.default_rng(0)
    rows = []
    for seed in range(60):
        prompt = generator.integers(0, VOCAB, 8).tolist()
        rows += drawn_rows(model, Decoding(0.7), rows=1, length=24, seed=seed, prompt=prompt)
    found = effective_temperature(rows, model, every=1)
    assert abs(found.temperature - 0.7) < 3 * found.standard_error
    everything = [row["input_ids"] for row in rows]
    assert effective_temperature(everything, model, every=1).temperature > 0.8


def test_texts_and_sources_are_read_too() -> None:
    model = tiny_llama()
    vocabulary = {f"w{number}": number for number in range(VOCAB)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="w0"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    rows = [row["input_ids"] for row in drawn_rows(model, Decoding(0.7), rows=30)]
    texts = [" ".join(f"w{token}" for token in row) for row in rows]
    expected = effective_temperature(rows, model)
    assert effective_temperature(texts, model, tokenizer=tokenizer) == expected
    source = Source([{"text": text} for text in texts], "own text", "synthetic")
    assert effective_temperature(source, model, tokenizer=tokenizer) == expected


def test_rows_are_taken_from_all_over_the_source() -> None:
    model = Bigrams(30)
    cold, hot = (drawn_rows(model, Decoding(t), rows=60) for t in (0.5, 1.5))
    found = effective_temperature(cold + hot, model, max_rows=40)
    assert found.rows == 40
    assert 0.6 < found.temperature < 1.4


def test_rows_longer_than_the_model_reads_are_cut() -> None:
    model = tiny_gpt2(positions=16)
    rows = [row["input_ids"] for row in drawn_rows(tiny_llama(), Decoding(), rows=10, length=40)]
    found = effective_temperature(rows, model, every=1)
    assert found.tokens == 10 * 15
    assert effective_temperature(rows, model, every=1, prefix=[0]).tokens == 10 * 15
    assert effective_temperature(rows, model, every=1, max_tokens=5).tokens == 10 * 4
    with pytest.raises(ArgumentError, match="16 positions"):
        effective_temperature(rows, model, max_tokens=30)


def test_nothing_is_disturbed() -> None:
    model = tiny_gpt2(dropout=0.3)
    rows = drawn_rows(model, Decoding(0.8, top_k=20), rows=8)
    model.train()
    model.transformer.h[0].eval()
    next(model.parameters()).requires_grad_(False)
    loss = model(torch.tensor([rows[0]["input_ids"]]), labels=torch.tensor([rows[0]["input_ids"]]))
    loss.loss.backward()
    before = _everything(model)
    effective_temperature(rows, model, is_generator=True)
    with pytest.raises(TokenizerMismatchError):
        effective_temperature([[1, 2], [1, 2, VOCAB]], model)
    after = _everything(model)
    assert len(before) == len(after)
    for one, other in zip(before, after, strict=True):
        assert torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other


def _everything(model: torch.nn.Module) -> list[Any]:
    numpy_state = np.random.get_state()
    return [
        random.getstate(),
        numpy_state[1].tolist(),
        numpy_state[2:],
        torch.get_rng_state(),
        [module.training for module in model.modules()],
        [parameter.requires_grad for parameter in model.parameters()],
        *(parameter.detach().clone() for parameter in model.parameters()),
        *(p.grad.clone() for p in model.parameters() if p.grad is not None),
    ]


def test_greedy_rows_are_told_as_such() -> None:
    model = tiny_llama()
    rows = [
        row
        for start in range(20)
        for row in drawn_rows(model, Decoding(top_k=1), rows=1, prompt=[0, start])
    ]
    found = effective_temperature(rows, model, is_generator=True)
    assert found.is_at_limit
    assert judged(found) == SHARPER
    assert "greedy" in found.verdict
    assert found.decoding == Decoding(top_k=1)
    assert found.interval == (0.0, pytest.approx(0.05))
    plain = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert plain["standard_error"] is None
    assert plain["interval"] == [0.0, pytest.approx(0.05)]


def test_text_of_another_tokenizer_is_flatter_than_anything() -> None:
    model = tiny_llama()
    generator = np.random.default_rng(0)
    drawn = drawn_rows(model, Decoding(0.2), rows=40)
    order = generator.permutation(VOCAB)
    rows = [order[row["input_ids"]].tolist() for row in drawn]
    assert judged(effective_temperature(rows, model)) == FLATTER
    worst = Bigrams(VOCAB)
    unlikely = [[start, int(worst.table[start].argmin())] for start in range(20)]
    found = effective_temperature(unlikely, worst, every=1, is_generator=True)
    assert found.is_at_limit
    assert found.temperature == pytest.approx(4.0)
    assert judged(found) == FLATTER
    assert found.to_dict()["interval"] == [pytest.approx(4.0), None]


def test_cuts_are_read_off_under_the_generator_only() -> None:
    model = tiny_llama()
    rows = drawn_rows(model, Decoding(0.8, top_k=10), rows=200)
    found = effective_temperature(rows, model, is_generator=True)
    assert found.decoding is not None
    assert found.decoding.top_k == 10
    assert abs(found.temperature - 0.8) < 3 * found.standard_error
    assert judged(found) == SHARPER
    assert "top-k 10" in found.verdict
    assert "top-k 10" in str(found)
    assert json.loads(json.dumps(found.to_dict()))["decoding"]["top_k"] == 10
    other = effective_temperature(rows, model)
    assert other.decoding is None
    # The cut makes it look colder than it was drawn.
    assert other.temperature < 0.8 - 3 * other.standard_error


def test_another_judge_is_trusted_less() -> None:
    generator, judge = tiny_llama(), tiny_llama()
    perturb(judge, 0.002)
    rows = drawn_rows(generator, Decoding(0.93), rows=300)
    own = effective_temperature(rows, generator, is_generator=True, every=1)
    assert (own.resolution, judged(own)) == (0.0, SHARPER)
    foreign = effective_temperature(rows, generator, every=1)
    assert (foreign.resolution, judged(foreign)) == (0.1, ALIKE)
    cold = drawn_rows(generator, Decoding(0.5), rows=100)
    assert judged(effective_temperature(cold, judge)) == SHARPER


@pytest.mark.parametrize(
    ("interval", "resolution", "verdict"),
    [
        ((0.78, 0.82), 0.0, SHARPER),
        ((0.78, 0.82), 0.1, SHARPER),
        ((0.95, 0.99), 0.0, SHARPER),
        ((0.95, 0.99), 0.1, ALIKE),
        ((0.88, 0.92), 0.1, UNTOLD),
        ((0.96, 1.03), 0.0, ALIKE),
        ((0.5, 1.8), 0.0, UNTOLD),
        ((0.5, 1.8), 0.1, UNTOLD),
        ((1.02, 1.06), 0.0, FLATTER),
        ((1.02, 1.06), 0.1, ALIKE),
        ((1.2, 1.3), 0.1, FLATTER),
    ],
)
def test_verdicts(interval: tuple[float, float], resolution: float, verdict: str) -> None:
    found = EffectiveTemperature(np.mean(interval), 0.01, interval, 9, 90, 9, resolution)
    assert judged(found) == verdict
    assert found.verdict in str(found)
    assert ("more rows" in found.verdict) == (interval == (0.5, 1.8))
    assert ("as far as" in found.verdict) == (verdict == ALIKE and resolution > 0)


class Flat(torch.nn.Module):
    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        return torch.zeros(*input_ids.shape, 9)


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ([], {}, "`rows` expected"),
        (["one text", "another"], {}, "`tokenizer` expected the tokenizer of the model"),
        ([[1, 2, 3]], {"every": 1}, "`documents` expected .* at least 2 documents"),
        ([[1, 2], [3, 4]], {"documents": [0, 0], "every": 1}, "`documents` expected"),
        ([[1], [2]], {}, "`rows` expected a drawn token with another one before it"),
        ([[1, 2], [3, 4]], {"every": 0}, "`every`"),
        ([[1, 2], [3, 4]], {"batch_size": 0}, "`batch_size`"),
        ([[1, 2], [3, 4]], {"max_rows": 0}, "`max_rows`"),
        ([[1, 2], [3, 4]], {"max_tokens": 0}, "`max_tokens`"),
        ([[1, 2], [3, 4]], {"column": "text"}, "`column`"),
        (iter([[1, 2]]), {}, "used up once"),
    ],
)
def test_what_cannot_be_judged_is_refused(rows: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        effective_temperature(rows, Bigrams(9), **options)


def test_models_that_cannot_judge_are_refused() -> None:
    config = T5Config(
        vocab_size=9, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2, decoder_start_token_id=0
    )
    with pytest.raises(ArgumentError, match="`model` expected a causal language model"):
        effective_temperature([[1, 2], [3, 4]], T5ForConditionalGeneration(config))
    with pytest.raises(ScoringError, match="the same probability"):
        effective_temperature([[1, 2], [3, 4]], Flat(), every=1)
