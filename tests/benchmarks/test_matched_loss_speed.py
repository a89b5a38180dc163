"""What sampler-matched cross-entropy costs a token, against plain cross-entropy and a full sort.

Forward and backward pass of the loss alone, from logits to their gradient, one thread, processor
time. All ways take turns block by block; the median of the blocks counts. Logits are normal ones,
flat for 2k types, as those of a small model, and from flat to peaked for more, as those of a large
one; the table says how many types a cut keeps.
"""

import subprocess
import sys
from collections.abc import Callable
from statistics import median
from time import process_time

import pytest
import torch
from torch.nn import functional as F

from collapse_guard.model.cuts import cut, is_kept
from collapse_guard.model.decoding import Decoding
from collapse_guard.model.matched_loss import sampler_matched_loss
from tests.packaging.layout import ROOT

pytestmark = pytest.mark.benchmark

BLOCKS = 9
SIZES = [(2_048, 2_048, (1.0, 2.0)), (49_152, 256, (3.0, 9.0)), (151_936, 64, (3.0, 9.0))]
"""Vocabulary, tokens at once, and the spread of the logits from the first token to the last."""

DECODINGS = {
    "T .8": Decoding(temperature=0.8),
    "top-k 50": Decoding(top_k=50),
    "top-p .9": Decoding(top_p=0.9),
    "min-p .05": Decoding(min_p=0.05),
    "T .8, top-p .95": Decoding(temperature=0.8, top_p=0.95),
    "top-k 50, top-p .9": Decoding(top_k=50, top_p=0.9),
}

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def by_a_full_sort(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Top-p .9 as it is written most shortly, all tokens at once."""
    values, ids = logits.detach().softmax(-1).sort(-1, descending=True)
    kept = values.cumsum(-1) - values < 0.9
    mask = torch.zeros_like(logits, dtype=torch.bool).scatter(-1, ids, kept)
    mask.scatter_(-1, labels[:, None], True)
    return F.cross_entropy(logits.masked_fill(~mask, -torch.inf), labels)


def matched(decoding: Decoding) -> Loss:
    def loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return sampler_matched_loss(logits, labels, [decoding], torch.ones_like(labels))

    return loss


def half_matched(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    every_other = torch.arange(len(labels)) % 2
    return sampler_matched_loss(logits, labels, [Decoding(temperature=0.8)], every_other)


@pytest.mark.parametrize(("vocabulary", "tokens", "spread"), SIZES)
def test_microseconds_a_token(vocabulary: int, tokens: int, spread: tuple[float, float]) -> None:
    ways: dict[str, Loss] = {"plain": F.cross_entropy}
    ways |= {name: matched(decoding) for name, decoding in DECODINGS.items()}
    ways |= {"half of them T .8": half_matched, "top-p .9, full sort": by_a_full_sort}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(tokens, vocabulary, generator=generator)
    logits *= torch.linspace(*spread, tokens)[:, None]
    labels = torch.multinomial(logits.softmax(-1), 1, generator=generator).squeeze(1)
    times: dict[str, list[float]] = {name: [] for name in ways}
    for block in range(BLOCKS + 1):
        for name, loss in ways.items():
            leaf = logits.clone().requires_grad_()
            start = process_time()
            loss(leaf, labels).backward()
            if block:
                times[name].append((process_time() - start) / tokens * 1e6)
    torch.set_num_threads(threads)
    plain = median(times["plain"])
    for name, taken in times.items():
        decoding = DECODINGS.get(name)
        share = "" if decoding is None else f"{types_kept(logits, decoding):,.0f}"
        print(
            f"\n| {vocabulary:,} | {name} | {share} | {median(taken):,.1f} "
            f"| {median(taken) - plain:+,.1f} | {median(taken) / plain:.2f}x |",
            end="",
        )


SCRIPT = """
import re
import torch
from tests.benchmarks.test_matched_loss_speed import DECODINGS, F, matched
loss = {{**{{name: matched(each) for name, each in DECODINGS.items()}}, "plain": F.cross_entropy}}
def work(tokens):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(tokens, 49_152, generator=generator)
    logits *= torch.linspace(3, 9, tokens)[:, None]
    labels = logits.argmax(1)
    leaf = logits.to(torch.{dtype}).requires_grad_()
    del logits
    open("/proc/self/clear_refs", "w").write("5")
    before = peak()
    loss["{way}"](leaf, labels).backward()
    return peak() - before
def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) * 1024
work(8)
print(work(1_024))
"""


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_peak_memory(dtype: str) -> None:
    peaks = {}
    for way in ("plain", *DECODINGS):
        script = SCRIPT.format(way=way, dtype=dtype)
        shown = subprocess.run(
            [sys.executable, "-c", script], check=True, capture_output=True, text=True, cwd=ROOT
        ).stdout
        peaks[way] = int(shown)
        print(
            f"\n| {dtype} | {way} | {peaks[way] / 1e6:,.0f} | {peaks[way] / peaks['plain']:.2f}x |",
            end="",
        )


def types_kept(logits: torch.Tensor, decoding: Decoding) -> float:
    """How many types a decoding keeps of a row, on average."""
    scaled = logits / decoding.temperature
    kept = cut(scaled, decoding)
    return float(is_kept(scaled, kept.lowest, kept.ties).sum(1).double().mean())
