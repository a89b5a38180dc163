"""What a whole training step costs with the sampler-matched loss, on a model of 130 M parameters.

Forward pass, loss, backward pass, clipping and AdamW under bfloat16 autocast, each token drawn and
marked. All ways train one model and take turns. Its logits are spread as those of a trained one,
and each way sees labels that were drawn from its own law, so that cuts are as long as in earnest.
"""

import math
import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from statistics import mean, median
from typing import Any

import torch
from transformers import PreTrainedModel

from collapse_guard import Decoding, mark_labels
from collapse_guard.integrations import match_sampler
from collapse_guard.model.next_token import candidates
from tests.benchmarks.watched_run import peak_bytes
from tests.gpu_check.checks import Findings, Place
from tests.model.warpers import ours
from tests.scales import Scale, llama_of, parameters_of

WAYS: Mapping[str, Decoding] = {
    "plain": Decoding(),
    "T .8": Decoding(temperature=0.8),
    "top-k 50": Decoding(top_k=50),
    "top-p .9": Decoding(top_p=0.9),
}

SCALE = Scale(49_152, 768, 12, 12, rows=16, window=512, device="cuda")
SMALL = Scale(512, 32, 1, 2, rows=2, window=16)
VOCABULARIES, SMALL_VOCABULARIES = (49_152, 151_936), (512, 2_048)

BLOCKS, STEPS = 7, 4
"""112 steps a vocabulary. Guessed 60 ms for 49k types and 120 ms for 150k: 20 seconds."""

SPREAD, FREEDOM = 6.0, 6
"""Mean standard deviation of a token's logits, and how many numbers of its state it comes from."""

LARGER = 1.1
"""Peak memory of a step against that with the plain loss."""


def training_steps(place: Place) -> Findings:
    """Milliseconds and memory of a step in each way, at two sizes of vocabulary."""
    scales, blocks, steps = _sizes(place)
    table: list[dict[str, Any]] = []
    for scale in scales:
        table += _measured(scale, blocks, steps)
        place.note({"steps": table})
    conditions = {"every loss is finite": all(math.isfinite(row["loss"]) for row in table)}
    if not place.small:
        conditions[f"peak memory is at most {LARGER} times that of the plain loss"] = all(
            row["peak over plain"] <= LARGER for row in table
        )
    return Findings(
        {"steps": table, "step": f"{scales[0].rows} rows of {scales[0].window} tokens"}, conditions
    )


def _sizes(place: Place) -> tuple[list[Scale], int, int]:
    base, vocabularies, blocks, steps = (
        (SMALL, SMALL_VOCABULARIES, 1, 1) if place.small else (SCALE, VOCABULARIES, BLOCKS, STEPS)
    )
    scales = [replace(base, vocab_size=each, device=place.device) for each in vocabularies]
    return scales, blocks, steps


def _measured(scale: Scale, blocks: int, steps: int) -> list[dict[str, Any]]:
    torch.manual_seed(0)
    model = _model(scale)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-7)
    ids = torch.randint(scale.vocab_size, (scale.rows, scale.window), device=scale.device)
    drawn = {name: _drawn(model, scale, decoding, ids) for name, decoding in WAYS.items()}
    times: dict[str, list[float]] = {name: [] for name in WAYS}
    peaks: dict[str, list[int]] = {name: [] for name in WAYS}
    losses: dict[str, float] = {}
    for block in range(blocks + 1):
        for name, (labels, _) in drawn.items():
            # Off where the loss is plain: a step that nothing of ours takes part in.
            plain = WAYS[name].is_plain
            match = nullcontext() if plain else match_sampler(model, [WAYS[name]])
            with match, peak_bytes(scale.device) as peak:
                scale.wait()
                start = time.perf_counter()
                for _ in range(steps):
                    loss = _step(model, optimizer, scale, ids, labels)
                scale.wait()
                taken = (time.perf_counter() - start) / steps
            losses[name] = float(loss)
            # The first makes kernels and the optimizer's state ready.
            if block:
                times[name].append(1e3 * taken)
                peaks[name] += peak
    return [
        {
            "types": scale.vocab_size,
            "M parameters": round(parameters_of(model) / 1e6, 1),
            "loss of": name,
            "types kept": kept,
            "ms a step": median(times[name]),
            "over plain": median(times[name]) / median(times["plain"]),
            "fastest to slowest block, ms": f"{min(times[name]):.1f} to {max(times[name]):.1f}",
            "peak MB": median(peaks[name]) / 1e6,
            "peak over plain": median(peaks[name]) / median(peaks["plain"]),
            "loss": losses[name],
        }
        for name, (_, kept) in drawn.items()
    ]


def _step(
    model: PreTrainedModel,
    optimizer: torch.optim.Optimizer,
    scale: Scale,
    ids: torch.Tensor,
    labels: torch.Tensor,
) -> torch.Tensor:
    with scale.precision():
        loss: torch.Tensor = model(
            input_ids=ids, labels=labels, num_items_in_batch=ids.numel()
        ).loss
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()
    return loss.detach()


def _model(scale: Scale) -> PreTrainedModel:
    """One whose logits are normal, and spread by 6 on average, from 3 in flat rows to 9 in peaked.

    Their spread is the length of what the last normalization lets through of the hidden state: of
    a few numbers alone, so that it varies.
    """
    model = llama_of(scale).train()
    with torch.no_grad():
        # Else each state looks most like the embedding that it began with, and predicts its token.
        model.model.layers[-1].mlp.down_proj.weight.mul_(1e3)
        normalization = model.model.norm.weight.zero_()
        normalization[:FREEDOM] = SPREAD / model.config.initializer_range / FREEDOM**0.5
    return model


def _drawn(
    model: PreTrainedModel, scale: Scale, decoding: Decoding, ids: torch.Tensor
) -> tuple[torch.Tensor, float]:
    """Labels that the model drew after each of these ids, marked, and how many types it drew of."""
    labels, kept = ids.clone(), []
    with torch.no_grad(), scale.precision():
        for row in range(scale.rows):
            logits = model(input_ids=ids[row : row + 1]).logits[0, :-1].float()
            probabilities, types = candidates(logits, decoding)
            drawn = torch.multinomial(probabilities, 1)
            labels[row, 1:] = types.gather(1, drawn).squeeze(1)
            kept.append(float(ours(logits / decoding.temperature, decoding).sum(1).float().mean()))
    return (labels if decoding.is_plain else mark_labels(labels, 1)), mean(kept)
