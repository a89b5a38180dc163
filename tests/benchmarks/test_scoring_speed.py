"""What scoring a tenth of the positions costs, against full logits, log-softmax and gather.

The model is a Llama of no layer: an embedding, a norm, and the output layer, so that what is timed
is the head part and little else. Ratios are of medians of one run, both ways in turn. The floors
are what this machine takes at the least for the multiplications (at the speed of a large square
product) and for the bytes (the output matrix read once, at the speed of a sum over it).
"""

import subprocess
import sys
from collections.abc import Callable
from statistics import median
from time import perf_counter

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel

from collapse_guard import token_logprobs
from tests.packaging.layout import ROOT

pytestmark = pytest.mark.benchmark

ROWS, TOKENS = 8, 128
RUNS = 5
HEADS = [(50_257, 256), (50_257, 512), (151_936, 256), (151_936, 512)]

Score = Callable[[PreTrainedModel, torch.Tensor, torch.Tensor], torch.Tensor]


def headed(vocab_size: int, hidden: int) -> PreTrainedModel:
    config = LlamaConfig(
        vocab_size=vocab_size,
        hidden_size=hidden,
        num_hidden_layers=0,
        num_attention_heads=4,
        intermediate_size=hidden,
    )
    return LlamaForCausalLM(config).eval()


def some_input(vocab_size: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    input_ids = torch.randint(0, vocab_size, (ROWS, TOKENS), generator=generator)
    positions = torch.zeros(ROWS * TOKENS, dtype=torch.bool)
    positions[torch.randperm(ROWS * TOKENS, generator=generator)[: ROWS * TOKENS // 10]] = True
    positions = positions.view(ROWS, TOKENS)
    positions[:, 0] = False
    return input_ids, positions


def full(model: PreTrainedModel, input_ids: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        logprobs = model(input_ids, use_cache=False).logits.float().log_softmax(-1)
    return logprobs[:, :-1].gather(2, input_ids[:, 1:, None]).squeeze(2)[positions[:, 1:]]


WAYS: dict[str, Score] = {"full": full, "ours": token_logprobs}


def seconds(*works: Callable[[], object]) -> list[float]:
    """Median time of each, taken in turn so that all meet the machine in the same moods."""
    times: list[list[float]] = [[] for _ in works]
    for run in range(RUNS + 1):
        for work, taken in zip(works, times, strict=True):
            start = perf_counter()
            work()
            if run:
                taken.append(perf_counter() - start)
    return [median(taken) for taken in times]


def peak_bytes(way: str, vocab_size: int, hidden: int) -> int:
    """How far the resident memory of a fresh process rises in one call, after a small one.

    The kernel's own high-water mark, put back to the present level before the call, so that what
    making the model took does not hide it.
    """
    script = f"""
import re, torch
from tests.benchmarks.test_scoring_speed import WAYS, headed, some_input
def kilobytes(field):
    return int(re.search(field + r":\\s+(\\d+) kB", open("/proc/self/status").read())[1])
model = headed({vocab_size}, {hidden})
input_ids, positions = some_input({vocab_size})
WAYS["{way}"](model, input_ids[:1, :2], torch.tensor([[False, True]]))
open("/proc/self/clear_refs", "w").write("5")
before = kilobytes("VmRSS")
WAYS["{way}"](model, input_ids, positions)
print((kilobytes("VmHWM") - before) * 1024)
"""
    return int(subprocess.check_output([sys.executable, "-c", script], cwd=ROOT, text=True))


@pytest.mark.parametrize(("vocab_size", "hidden"), HEADS)
def test_a_tenth_of_the_positions(vocab_size: int, hidden: int) -> None:
    model = headed(vocab_size, hidden)
    input_ids, positions = some_input(vocab_size)
    torch.testing.assert_close(
        token_logprobs(model, input_ids, positions), full(model, input_ids, positions)
    )
    count = int(positions.sum())
    matrix, square = model.lm_head.weight.detach(), torch.rand(2048, 2048)
    ours, whole, product, read = seconds(
        lambda: token_logprobs(model, input_ids, positions),
        lambda: full(model, input_ids, positions),
        lambda: square @ square,
        matrix.sum,
    )
    flops = 2 * count * hidden * vocab_size
    multiplying = flops / (2 * 2048**3 / product)
    our_peak, whole_peak = (peak_bytes(way, vocab_size, hidden) for way in ("ours", "full"))
    logits = count * vocab_size * 4
    print(
        f"\n| {vocab_size:,} | {hidden} | {1e3 * ours:.0f} | {1e3 * whole:,.0f} "
        f"| {whole / ours:.1f}x | {flops / 1e9:.1f} GFLOP, {1e3 * multiplying:.0f} ms "
        f"| {matrix.nbytes / 1e6:.0f} MB, {1e3 * read:.0f} ms "
        f"| {ours / max(multiplying, read):.1f}x "
        f"| {our_peak / 1e6:.0f} | {whole_peak / 1e6:,.0f} | {whole_peak / our_peak:.1f}x "
        f"| {logits / 1e6:.0f} MB | {our_peak / logits:.1f}x |"
    )
