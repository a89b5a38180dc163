"""What watching a run costs at the default budget, and how sure it makes.

One model is trained on, in blocks of steps with and without the monitor that take turns: both meet
the machine in the same moods. Where it is shared with other work, the seconds of the processor tell
the ratio better than those of the clock; both are told. The model first learns the human text, and
then text with less of a tail, slowly or quickly, so that there is something to see. On a GPU it is
a model of more than 100 million parameters in bfloat16, over 50,257 types.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, median
from time import perf_counter, process_time

import numpy as np
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel

from collapse_guard import CollapseMonitor, HeldOutPanel, HumanReference, Reading

pytestmark = pytest.mark.benchmark

Times = np.ndarray[tuple[int], np.dtype[np.float64]]

WARM_UP, BLOCKS, STEPS = 40, 8, 16
DOCUMENTS = 48
LEARNING, COOLED = 3e-3, 0.8
"""The learning rate before the watched steps, and the temperature of the text in them."""


@dataclass(frozen=True)
class Scale:
    """A model and a batch whose step takes 200 ms or more."""

    vocab_size: int
    hidden: int
    layers: int
    heads: int
    rows: int
    window: int
    accumulated: int
    device: str


CPU = Scale(4096, 64, 2, 2, rows=64, window=64, accumulated=1, device="cpu")
GPU = Scale(50_257, 768, 12, 12, rows=32, window=512, accumulated=8, device="cuda")


class Training:
    """A model that has learned the human text.

    Args:
        scale: Of model and batch.
        learning_rate: From now on.
    """

    def __init__(self, scale: Scale, learning_rate: float) -> None:
        self.scale = scale
        self._random = np.random.default_rng(0)
        self.model = _model(scale).to(scale.device)
        self._optimizer = torch.optim.AdamW(self.model.parameters(), lr=LEARNING)
        self._cooled = 1.0
        self.panel = _panel(scale)
        for _ in range(WARM_UP):
            self.step()
        self._optimizer.param_groups[0]["lr"] = learning_rate
        self._cooled = COOLED

    def step(self) -> None:
        """One optimizer step, waited for."""
        scale = self.scale
        for _ in range(scale.accumulated):
            ids = torch.from_numpy(_text(self._random, scale, scale.rows, cooled=self._cooled))
            ids = ids.to(scale.device)
            with self.precision():
                loss = self.model(input_ids=ids, labels=ids).loss / scale.accumulated
            loss.backward()
        self._optimizer.step()
        self._optimizer.zero_grad()
        if scale.device == "cuda":
            torch.cuda.synchronize()

    def precision(self) -> torch.autocast:
        """bfloat16 on a GPU, for training and looks alike, as trainers have it."""
        device = self.scale.device
        return torch.autocast(device, torch.bfloat16, enabled=device == "cuda")


def _model(scale: Scale) -> PreTrainedModel:
    config = LlamaConfig(
        vocab_size=scale.vocab_size,
        hidden_size=scale.hidden,
        intermediate_size=3 * scale.hidden,
        num_hidden_layers=scale.layers,
        num_attention_heads=scale.heads,
        max_position_embeddings=scale.window,
        tie_word_embeddings=True,
    )
    return LlamaForCausalLM(config)


def _text(
    random: np.random.Generator, scale: Scale, documents: int, *, cooled: float
) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """Documents of a Zipf law, each with 50 types of its own that make up half of it."""
    law = (1.0 / (np.arange(scale.vocab_size) + 2.7)) ** (1 / cooled)
    law /= law.sum()
    common = random.choice(scale.vocab_size, (documents, scale.window), p=law)
    own = random.choice(scale.vocab_size, (documents, 50), p=law)
    of_own = np.take_along_axis(own, random.integers(0, 50, common.shape), axis=1)
    return np.where(random.random(common.shape) < 0.5, common, of_own)


def _panel(scale: Scale) -> HeldOutPanel:
    random = np.random.default_rng(1)
    long = replace(scale, window=2 * scale.window)
    seen, held_out = (_text(random, long, count, cooled=1.0) for count in (500, DOCUMENTS))
    reference = HumanReference.from_token_ids(list(seen), vocab_size=scale.vocab_size)
    return HeldOutPanel.from_token_ids(list(held_out), reference, window=scale.window)


def seconds(work: Callable[[], object]) -> Times:
    """Of the clock, and of the processor."""
    clock, processor = perf_counter(), process_time()
    work()
    return np.array([perf_counter() - clock, process_time() - processor])


@contextmanager
def peak_bytes(device: str) -> Iterator[list[int]]:
    """The most memory in use within the block: on the GPU, or resident on the CPU."""
    peak: list[int] = []
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        yield peak
        peak.append(torch.cuda.max_memory_allocated())
        return
    # The kernel's own high-water mark, put back to the present level.
    Path("/proc/self/clear_refs").write_text("5")
    yield peak
    status = Path("/proc/self/status").read_text()
    peak.append(1024 * int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]))


@pytest.mark.parametrize("learning_rate", [3e-6, 3e-5])
def test_a_watched_run_against_the_same_unwatched(learning_rate: float) -> None:
    scale = GPU if torch.cuda.is_available() else CPU
    training = Training(scale, learning_rate)
    model, panel = training.model, training.panel
    monitor = CollapseMonitor(panel)

    def look_with(look: Callable[..., Reading], step: int) -> Reading:
        with training.precision():
            return look(model, step)

    start = seconds(lambda: look_with(monitor.start, 0))
    # Looks at the whole panel, untimed and unseen by the monitor, to compare with.
    whole = CollapseMonitor(panel, rules=(), baseline=monitor.baseline)
    times: dict[bool, list[Times]] = {False: [], True: []}
    peaks: dict[bool, list[int]] = {False: [], True: []}
    looks: list[Reading] = []
    compared: list[tuple[Reading, Reading]] = []

    def step_and_observe() -> None:
        training.step()
        if reading := look_with(monitor.observe, len(times[True]) + 1):
            looks.append(reading)

    for block in range(2 * BLOCKS):
        watched = block % 2 == 1
        monitor.pause()
        with peak_bytes(scale.device) as peak:
            for _ in range(STEPS):
                times[watched].append(seconds(step_and_observe if watched else training.step))
        peaks[watched] += peak
        if watched and looks:
            compared.append((looks[-1], look_with(whole.look, block)))
    spent = monitor.overhead_spent
    end = seconds(lambda: look_with(monitor.look, len(times[True])))
    assert looks, "no look fell into the watched blocks: let them be longer"

    small = sum(not look.is_full for look in looks)
    _, windows, _ = monitor.state_dict()["pace"]["plan"]
    parameters = sum(parameter.numel() for parameter in model.parameters())
    print(
        f"\n{torch.cuda.get_device_name() if scale.device == 'cuda' else 'CPU, 1 thread'}: "
        f"{parameters / 1e6:.1f} M parameters, {scale.vocab_size:,} types, steps of "
        f"{scale.rows * scale.accumulated} rows of {scale.window} tokens; a panel of {len(panel)} "
        f"windows of {panel.num_documents} documents; {BLOCKS * STEPS} steps each, with {small} "
        f"small looks (the last at {windows} windows) and {len(looks) - small} at the whole "
        f"panel.\n"
    )
    for number, clock in enumerate(("clock", "processor")):
        without, watched = (np.array(times[arm])[:, number] for arm in (False, True))
        in_blocks = watched.reshape(BLOCKS, -1).sum(1) / without.reshape(BLOCKS, -1).sum(1)
        print(
            f"| {clock} | {1e3 * median(without):.0f} | {1e3 * median(watched):.0f} "
            f"| {median(watched) / median(without):.3f} | {median(in_blocks):.3f} "
            f"({in_blocks.min():.3f} to {in_blocks.max():.3f}) "
            f"| {watched.sum() / without.sum():.3f} "
            f"| {start[number]:.2f} + {end[number]:.2f} "
            f"| {(watched.sum() + start[number] + end[number]) / without.sum():.3f} |"
        )
    print(
        f"overhead_spent, the start among it: {spent:.4f}; peak memory, MB: "
        f"{median(peaks[False]) / 1e6:,.0f} without, {median(peaks[True]) / 1e6:,.0f} with "
        f"({median(peaks[True]) / median(peaks[False]):.3f}x)"
    )
    name = "tail_retention"
    by_look, by_panel = (
        mean(each.standard_errors[name] for each in s) for s in zip(*compared, strict=True)
    )
    documents = mean(look.units[name] for look, _ in compared)
    off = mean(abs(look[name] - panel[name]) for look, panel in compared)
    print(
        f"standard error of {name} at the latest look: {by_look:.4f} over documents worth "
        f"{documents:.0f}, of the whole panel at the same step: {by_panel:.4f} "
        f"({by_look / by_panel:.2f}x); the values differ by {off:.4f} on average, where the whole "
        f"panel read {compared[0][1][name]:.3f} to {compared[-1][1][name]:.3f}"
    )
