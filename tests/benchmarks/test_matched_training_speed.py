"""What training under the sampler's law costs: whole steps, as a Hugging Face Trainer takes them.

Forward pass, loss, backward pass, clipping and AdamW, with every token drawn and marked, against
the same step without marks. All ways train one model and take turns block by block; the median of
the blocks counts. Where the machine is shared with other work, the seconds of the processor tell
the ratio better than those of the clock; both are told. The output layer is drawn so that logits
are spread as in a trained model: flat for 2k types, peaked for more. Each way sees labels from its
own law.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from statistics import median
from time import perf_counter, process_time

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel

from collapse_guard import Decoding, mark_labels
from collapse_guard.integrations.matching.match_sampler import match_sampler
from collapse_guard.model.next_token import candidates
from tests.benchmarks.test_matched_loss_speed import types_kept

pytestmark = pytest.mark.benchmark

DECODINGS = {
    "T .8": Decoding(temperature=0.8),
    "top-k 50": Decoding(top_k=50),
    "top-p .9": Decoding(top_p=0.9),
}


@dataclass(frozen=True)
class Scale:
    """A model and a batch.

    Attributes:
        spread: Standard deviation of a token's logits.
    """

    vocab_size: int
    hidden: int
    layers: int
    heads: int
    rows: int
    window: int
    spread: float
    blocks: int


SCALES = {
    "as in the example": Scale(2_048, 128, 2, 2, rows=16, window=128, spread=1.5, blocks=21),
    "49k": Scale(49_152, 512, 16, 8, rows=2, window=128, spread=6.0, blocks=7),
    "150k": Scale(151_936, 256, 16, 4, rows=2, window=128, spread=6.0, blocks=7),
}


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("scale", SCALES.values(), ids=SCALES)
def test_milliseconds_a_step(scale: Scale, threads: int) -> None:
    with _threads(threads):
        model = _model(scale)
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-7, fused=True)
        generator = torch.Generator().manual_seed(0)
        shape = (scale.rows, scale.window)
        ids = torch.randint(scale.vocab_size, shape, generator=generator)
        with torch.no_grad():
            logits = model(ids).logits[:, :-1].flatten(0, 1)
        labels = {"plain": _drawn(logits, Decoding(), ids, generator)}
        for name, decoding in DECODINGS.items():
            labels[name] = mark_labels(_drawn(logits, decoding, ids, generator), 1)
        clock: dict[str, list[float]] = {name: [] for name in labels}
        processor: dict[str, list[float]] = {name: [] for name in labels}
        for block in range(scale.blocks + 1):
            for name, batch in labels.items():
                attached = (
                    match_sampler(model, [DECODINGS[name]]) if name in DECODINGS else nullcontext()
                )
                with attached:
                    start = perf_counter(), process_time()
                    _step(model, optimizer, ids, batch)
                    taken = perf_counter() - start[0], process_time() - start[1]
                if block:
                    clock[name].append(1e3 * taken[0])
                    processor[name].append(1e3 * taken[1])
    millions = sum(weight.numel() for weight in model.parameters()) / 1e6
    for name in labels:
        kept = types_kept(logits, DECODINGS.get(name, Decoding()))
        ratios = [median(times[name]) / median(times["plain"]) for times in (clock, processor)]
        print(
            f"\n| {scale.vocab_size:,}, {millions:.1f}M | {threads} | {name} | {kept:,.0f} "
            f"| {median(clock[name]):,.0f} | {median(processor[name]):,.0f} "
            f"| {ratios[0]:.2f}x | {ratios[1]:.2f}x |",
            end="",
        )


def _step(
    model: PreTrainedModel,
    optimizer: torch.optim.Optimizer,
    ids: torch.Tensor,
    labels: torch.Tensor,
) -> None:
    model(input_ids=ids, labels=labels, num_items_in_batch=ids.numel()).loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    model.zero_grad()


def _model(scale: Scale) -> PreTrainedModel:
    config = LlamaConfig(
        vocab_size=scale.vocab_size,
        hidden_size=scale.hidden,
        intermediate_size=11 * scale.hidden // 4,
        num_hidden_layers=scale.layers,
        num_attention_heads=scale.heads,
        num_key_value_heads=scale.heads,
        bos_token_id=0,
        eos_token_id=0,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = LlamaForCausalLM(config)
        # The last normalization leaves a hidden state of this size for each token.
        torch.nn.init.normal_(model.lm_head.weight, std=scale.spread / scale.hidden**0.5)
    return model.train()


def _drawn(
    logits: torch.Tensor, decoding: Decoding, ids: torch.Tensor, generator: torch.Generator
) -> torch.Tensor:
    """Labels for these ids, each but the first drawn from the logits that predict it."""
    labels = ids.clone()
    probabilities, types = candidates(logits, decoding)
    drawn = torch.multinomial(probabilities, 1, generator=generator)
    labels[:, 1:] = types.gather(1, drawn).view(labels[:, 1:].shape)
    return labels


@contextmanager
def _threads(number: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
