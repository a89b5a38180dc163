"""Whole runs in regimes that keep more than a model and its rows, and of papers' presets."""

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from collapse_guard.examples.recursive_finetune.corpus import load_corpus
from collapse_guard.examples.recursive_finetune.tokenization import train_tokenizer
from tests.examples.test_runs import (
    environment,
    finish,
    human_text,
    kill_at,
    read,
    settings_of,
)
from tests.sizes import sized
from tests.tiny import tiny_opt

pytestmark = pytest.mark.slow

__all__ = ["environment", "human_text"]

REGIMES = ("--regimes", "accumulate", "multi_model")


def test_chains_with_a_memory_go_on_to_the_same_results(
    tmp_path: Path, human_text: Path, environment: dict[str, str]
) -> None:
    """Killed after the first generation of one, or of each: all rows and models are there again."""
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    finish([*settings_of(undisturbed, human_text), *REGIMES], environment, tmp_path)
    lasts = ("accumulate 1/2", "multi_model 1/2")
    for last in sized(short=lasts[1:], long=lasts):
        kill_at(last, [*settings_of(killed, human_text), *REGIMES], environment, tmp_path)
    finish([*settings_of(killed, human_text), *REGIMES], environment, tmp_path)
    assert (killed / "results.json").read_bytes() == (undisturbed / "results.json").read_bytes()
    chains = read(undisturbed)["regimes"]
    # 16 rows of 32 tokens from each of 2 and then 3 generations.
    trained = [result["trained_tokens"] for result in chains["accumulate"]]
    assert trained == [512, 1024, 1536]
    shares = [result["human_tokens"] / result["trained_tokens"] for result in chains["accumulate"]]
    assert shares == [1.0, 0.5, 3 / 8]
    written = np.load(undisturbed / "state" / "multi_model" / "0002" / "written.npy")
    alone = np.load(undisturbed / "state" / "accumulate" / "0002" / "written.npy")
    # A third is the first model's own, which is generation 0 in both; two are others'.
    equal = (written[0] == alone[0]).all(1)
    assert equal.tolist() == [True] * 6 + [False] * 10


def test_the_presets_of_the_papers_run_on_small_models(
    tmp_path: Path, human_text: Path, environment: dict[str, str]
) -> None:
    """OPT's, with a tiny OPT from a folder: beams on human prompts, all weights, 10% human rows."""
    model = tmp_path / "opt"
    tokenizer = train_tokenizer(load_corpus(str(human_text)).pretraining, 400)
    tiny_opt(vocab_size=len(tokenizer)).save_pretrained(model)
    tokenizer.save_pretrained(model)
    small = "--window 24 --prompt 12 --rows 20 --batch_size 10 --passes 1 --panel_windows 16 "
    small += "--generations 1 --every_n_steps 2 --bf16 False --learning_rate 1e-2 --own_texts 8"
    output = tmp_path / "run"
    preset = settings_of(output, human_text)
    preset[preset.index("smoke")] = "opt125m-shumailov2024"
    finish([*preset, "--model", str(model), *small.split()], environment, tmp_path)
    chains = read(output)["regimes"]
    assert [chain[1]["human_share"] for chain in chains.values()] == [1.0, 0.0, 0.1]
    last = output / "state" / "replace" / "0001"
    trained = AutoModelForCausalLM.from_pretrained(last / "model").eval()
    start = AutoModelForCausalLM.from_pretrained(model)
    moved = [
        not torch.equal(weights, start.get_parameter(name))
        for name, weights in trained.named_parameters()
        if "embed_positions" not in name
    ]
    assert all(moved), "all weights are trained"
    written = np.load(last / "written.npy")[-1]
    assert written.shape == (20, 24)
    found = trained.generate(
        torch.from_numpy(written[:1, :12]),
        num_beams=5,
        do_sample=False,
        min_new_tokens=12,
        max_new_tokens=12,
        eos_token_id=None,
    )
    assert found[0].tolist() == written[0].tolist()
    # By itself a beam search writes one text only: what is read is what it wrote on prompts.
    assert chains["replace"][1]["texts"] == tokenizer.batch_decode(written[:3, 12:])
