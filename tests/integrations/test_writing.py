"""Rows that a model wrote: what they hold, that they keep it, and by which law they were drawn."""

import copy
import random
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import nn
from transformers import PreTrainedModel, T5Config, T5ForConditionalGeneration

from collapse_guard import MixGuard, Source
from collapse_guard.errors import ArgumentError, TokenizerMismatchError
from collapse_guard.integrations.writing import write
from collapse_guard.model.decoding import PLAIN, VLLM_ORDER, Decoding
from collapse_guard.model.decoding_columns import decoding_from_columns
from collapse_guard.model.marked_labels import unmark_labels
from collapse_guard.model.sample import sample
from collapse_guard.model.sampled_logprob import sampled_logprob
from tests.integrations.test_prompts import make_tokenizer
from tests.tiny import VOCAB, tiny_gpt2, tiny_llama

DECODING = Decoding(temperature=0.7, top_k=20, top_p=0.95)
PROMPTS = [[7, 8, 9], [5], [6, 7, 8], [4, 3], [2, 2, 2], [9], [1, 2, 3, 4, 5]]
COLUMNS = ["input_ids", "drawn_mask", "temperature", "top_k", "top_p", "min_p", "cut_order"]


@pytest.fixture
def model() -> PreTrainedModel:
    # float64, so that the batch's shape cannot change a draw through rounding.
    return tiny_llama().double()


def some_rows(model: nn.Module, **changed: Any) -> datasets.Dataset:
    arguments: dict[str, Any] = {"length": 12, "seed": 3, "stop_ids": [0, 11], **changed}
    prompts = arguments.pop("prompts", PROMPTS)
    return write(model, prompts, arguments.pop("decoding", DECODING), **arguments)


def test_rows_are_prompts_and_what_was_drawn(model: PreTrainedModel) -> None:
    rows = some_rows(model)
    assert rows.column_names == COLUMNS
    assert len(rows) == len(PROMPTS)
    lengths = set()
    for number, (row, prompt) in enumerate(zip(rows, PROMPTS, strict=True)):
        # Row by row, by nothing but the loop that draws.
        alone = sample(
            model,
            num_sequences=1,
            first_sequence=number,
            length=12,
            seed=3,
            prompt_ids=torch.tensor(prompt),
            decoding=DECODING,
        )[0].tolist()
        ends = [place + 1 for place, token in enumerate(alone) if token in (0, 11)]
        written = alone[: min(ends, default=12)]
        assert row["input_ids"] == prompt + written
        assert row["drawn_mask"] == [0] * len(prompt) + [1] * len(written)
        lengths.add(len(written))
    # Some ended at a stop token, and some did not.
    assert 12 in lengths
    assert min(lengths) < 12


def test_each_row_says_how_it_was_drawn(model: PreTrainedModel) -> None:
    for decoding in (PLAIN, DECODING, Decoding(0.5, 9, 0.9, 0.1, VLLM_ORDER)):
        for row in some_rows(model, decoding=decoding):
            assert decoding_from_columns(row) == decoding


@pytest.mark.parametrize("batch_size", [1, 2, 5])
def test_rows_depend_on_no_batch(model: PreTrainedModel, batch_size: int) -> None:
    whole = some_rows(model)
    assert some_rows(model, batch_size=batch_size).to_list() == whole.to_list()
    shares = [
        some_rows(model, prompts=PROMPTS[start : start + batch_size], first_row=start).to_list()
        for start in range(0, len(PROMPTS), batch_size)
    ]
    assert [row for share in shares for row in share] == whole.to_list()
    assert some_rows(model, seed=4).to_list() != whole.to_list()


def test_rows_without_a_prompt_begin_with_the_first_token(model: PreTrainedModel) -> None:
    model.config.bos_token_id = 7
    rows = some_rows(model, prompts=np.int64(5), stop_ids=())
    assert rows.to_list() == some_rows(model, prompts=[[7]] * 5, stop_ids=()).to_list()
    assert [row["input_ids"][0] for row in rows] == [7] * 5
    assert [row["drawn_mask"] for row in rows] == [[0] + [1] * 12] * 5


def test_a_row_ends_at_the_models_own_last_token(model: PreTrainedModel) -> None:
    def ended_at(**named: Any) -> list[list[int]]:
        model.generation_config.eos_token_id = named.get("generation")
        model.config.eos_token_id = named.get("config")
        return some_rows(model, prompts=20, stop_ids=named.get("given"))["input_ids"][:]

    model.config.bos_token_id = 7
    whole, at_31, at_both = (ended_at(given=stops) for stops in ((), 31, [31, 8]))
    assert whole != at_31 != at_both
    assert ended_at() == whole
    assert ended_at(config=31) == ended_at(generation=31, config=8) == at_31
    assert ended_at(generation=[31, 8], config=0) == at_both
    assert ended_at(generation=31, given=()) == whole


def test_texts_and_chats_are_prompts_too(tmp_path: Path) -> None:
    model, tokenizer = tiny_gpt2(), make_tokenizer()
    tokenizer.save_pretrained(tmp_path)
    texts = ["a b c", "b"]
    ids = tokenizer(texts)["input_ids"]
    expected = some_rows(model, prompts=ids).to_list()
    assert some_rows(model, prompts=texts, tokenizer=tokenizer).to_list() == expected
    assert some_rows(model, prompts=texts, tokenizer=str(tmp_path)).to_list() == expected
    (row,) = some_rows(
        model, prompts=[[{"role": "user", "content": "a b"}]], tokenizer=tokenizer
    ).to_list()
    assert row["input_ids"][:5] == [1, 2, 4, 5, 3]
    assert row["drawn_mask"][:6] == [0, 0, 0, 0, 0, 1]


@pytest.mark.parametrize("decoding", [PLAIN, DECODING], ids=str)
def test_every_file_format_keeps_it(
    model: PreTrainedModel, decoding: Decoding, tmp_path: Path
) -> None:
    rows = some_rows(model, decoding=decoding)
    rows.save_to_disk(tmp_path / "folder")
    rows.to_parquet(tmp_path / "rows.parquet")
    rows.to_json(tmp_path / "rows.jsonl")
    cache = {"cache_dir": str(tmp_path / "cache")}
    again = {
        "folder": datasets.load_from_disk(tmp_path / "folder"),
        "parquet": datasets.Dataset.from_parquet(str(tmp_path / "rows.parquet"), **cache),
        "json": datasets.Dataset.from_json(str(tmp_path / "rows.jsonl"), **cache),
    }
    for how, read in again.items():
        assert read.to_list() == rows.to_list(), how
        assert {decoding_from_columns(row) for row in read} == {decoding}, how
    assert again["folder"].features == again["parquet"].features == rows.features
    # Rows of several decodings make one data set.
    other = some_rows(model, decoding=Decoding(min_p=0.1))
    assert len(datasets.concatenate_datasets([rows, other])) == 2 * len(PROMPTS)


def test_drawn_tokens_follow_the_law_that_their_row_names() -> None:
    """The mean log-probability of draws is minus the entropy of their law, and of no other."""
    model = tiny_llama()
    decoding = Decoding(temperature=0.5)
    rows = write(model, 1_500, decoding, length=8, seed=0, batch_size=500, stop_ids=())
    ids, drawn = torch.tensor(rows["input_ids"][:]), torch.tensor(rows["drawn_mask"][:]).bool()
    with torch.no_grad():
        logits = model(input_ids=ids).logits[:, :-1][drawn[:, 1:]]
    tokens = ids[:, 1:][drawn[:, 1:]]
    assert len(tokens) == 1_500 * 8

    def errors_off(law: Decoding) -> float:
        logprobs = (logits / law.temperature).log_softmax(-1)
        entropies = -(logprobs.exp() * logprobs).sum(-1)
        # Given what stands before it, each has a mean of 0: so they are uncorrelated.
        off = sampled_logprob(logits, tokens, law) + entropies
        return abs(float(off.mean() / off.std() * len(off) ** 0.5))

    assert errors_off(decoding) < 4
    assert errors_off(Decoding(temperature=0.55)) > 4
    assert errors_off(PLAIN) > 40


def test_models_of_many_kinds_write() -> None:
    lora = get_peft_model(
        tiny_llama(), LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False)
    )
    for model in (tiny_gpt2().bfloat16(), lora, torch.nn.DataParallel(tiny_gpt2())):
        rows = some_rows(model, prompts=[[7, 8], [5]], stop_ids=None)
        assert rows[0]["input_ids"][:2] == [7, 8]
        assert all(0 <= token < VOCAB for row in rows for token in row["input_ids"])


def test_nothing_else_is_touched() -> None:
    model = tiny_gpt2(dropout=0.1).train()
    model.transformer.wte.eval()
    model.transformer.wpe.weight.requires_grad_(False)
    before = copy.deepcopy(model)
    states = random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state()
    some_rows(model, prompts=4)
    some_rows(model, prompts=["a"], tokenizer=make_tokenizer())
    assert random.getstate() == states[0]
    assert np.array_equal(np.random.get_state()[1], states[1])
    assert torch.equal(torch.get_rng_state(), states[2])
    for (name, now), then in zip(model.named_modules(), before.modules(), strict=True):
        assert now.training == then.training, name
    for (name, now), then in zip(model.named_parameters(), before.parameters(), strict=True):
        assert torch.equal(now, then), name
        assert now.requires_grad == then.requires_grad, name
        assert now.grad is None


def test_a_bar_is_shown_on_a_terminal_only(
    model: PreTrainedModel, capsys: pytest.CaptureFixture[str]
) -> None:
    some_rows(model)
    some_rows(model, progress=False)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"decoding": Decoding(top_k=1)}, "`decoding` expected a top-k above 1"),
        ({"decoding": Decoding(temperature=0.01)}, "`decoding` expected a top-k above 1"),
        ({"prompts": 0}, "`prompts` expected a whole number from 1"),
        ({"prompts": []}, "`prompts` expected a number of rows, or a list"),
        ({"prompts": [[5] * 60]}, "fit the model's 64 positions, but got 12: draw at most 5"),
        ({"length": 0}, "`length` expected a whole number from 1"),
        ({"seed": -1}, "`seed` expected at least 0"),
        ({"batch_size": 0}, "`batch_size` expected a whole number from 1"),
        ({"first_row": -1}, "`first_row` expected a whole number from 0"),
        ({"stop_ids": ["<s>"]}, "`stop_ids` expected token ids"),
    ],
)
def test_bad_arguments_are_named(
    model: PreTrainedModel, wrong: dict[str, Any], message: str
) -> None:
    with pytest.raises(ArgumentError, match=message):
        some_rows(model, **wrong)


def test_models_and_ids_that_do_not_belong_are_refused(model: PreTrainedModel) -> None:
    with pytest.raises(TokenizerMismatchError, match="token id 50 in `prompts`"):
        some_rows(model, prompts=[[3], [VOCAB]])
    config = T5Config(vocab_size=50, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2)
    with pytest.raises(ArgumentError, match="`model` expected a causal language model"):
        some_rows(T5ForConditionalGeneration(config), prompts=[[3]])
    model.config.bos_token_id = model.config.eos_token_id = None
    model.generation_config.bos_token_id = model.generation_config.eos_token_id = None
    with pytest.raises(ArgumentError, match="`prompts` expected a prompt, since the model"):
        some_rows(model, prompts=3)


def test_a_mix_knows_of_written_rows_how_each_token_was_drawn(
    model: PreTrainedModel, tmp_path: Path
) -> None:
    """From the model that writes, through a file, to the labels that a loss is matched by."""
    cool, cut = (
        some_rows(model, decoding=decoding) for decoding in (DECODING, Decoding(min_p=0.1))
    )
    datasets.concatenate_datasets([cool, cut]).save_to_disk(str(tmp_path))
    kept = datasets.load_from_disk(str(tmp_path))
    source = Source(kept, "model", "synthetic", decoding="columns")
    mix = MixGuard(None, source, human_fraction=0, block_size=1)
    assert mix.decodings == (DECODING, Decoding(min_p=0.1))
    for slot, number in enumerate(mix.locate(range(len(mix))).row.tolist()):
        row = mix[slot]
        tokens, drawn_with = unmark_labels(torch.tensor(row["labels"]))
        assert tokens.tolist() == row["input_ids"] == kept[number]["input_ids"]
        mark = 1 if number < len(cool) else 2
        assert drawn_with.tolist() == [mark * drawn for drawn in kept[number]["drawn_mask"]]
