"""What watching a run costs at the default budget, and how sure it makes.

`tests.benchmarks.watched_run` says how that is measured. Where the machine is shared with other
work, the seconds of the processor tell the ratio better than those of the clock; both are told. On
a GPU it is a model of more than 100 million parameters in bfloat16, over 50,257 types.
"""

import numpy as np
import pytest
import torch

from tests.benchmarks.watched_run import WATCHED_READING, measure
from tests.scales import Scale

pytestmark = pytest.mark.benchmark

# Both take 200 ms a step or more.
CPU = Scale(4096, 64, 2, 2, rows=64, window=64)
GPU = Scale(50_257, 768, 12, 12, rows=32, window=512, accumulated=8, device="cuda")


@pytest.mark.parametrize("learning_rate", [3e-6, 3e-5])
def test_a_watched_run_against_the_same_unwatched(learning_rate: float) -> None:
    scale = GPU if torch.cuda.is_available() else CPU
    run = measure(scale, learning_rate)
    print(
        f"\n{torch.cuda.get_device_name() if scale.device == 'cuda' else 'CPU, 1 thread'}: "
        f"{run.parameters / 1e6:.1f} M parameters, {scale.vocab_size:,} types, steps of "
        f"{scale.rows * scale.accumulated} rows of {scale.window} tokens; a panel of "
        f"{run.windows} windows of {run.documents} documents; {run.watched[..., 0].size} steps "
        f"each, with {run.small_looks} small looks (the last at {run.last_windows} windows) and "
        f"{run.full_looks} at the whole panel.\n"
    )
    for number, clock in enumerate(("clock", "processor")):
        without, watched = run.without[..., number], run.watched[..., number]
        in_blocks = watched.sum(1) / without.sum(1)
        start, end = run.start[number], run.end[number]
        print(
            f"| {clock} | {1e3 * np.median(without):.0f} | {1e3 * np.median(watched):.0f} "
            f"| {np.median(watched) / np.median(without):.3f} | {np.median(in_blocks):.3f} "
            f"({in_blocks.min():.3f} to {in_blocks.max():.3f}) "
            f"| {watched.sum() / without.sum():.3f} "
            f"| {start:.2f} + {end:.2f} "
            f"| {(watched.sum() + start + end) / without.sum():.3f} |"
        )
    print(
        f"overhead_spent, the start among it: {run.spent:.4f}; peak memory, MB: "
        f"{run.peak_without / 1e6:,.0f} without, {run.peak_watched / 1e6:,.0f} with "
        f"({run.peak_watched / run.peak_without:.3f}x)"
    )
    print(
        f"standard error of {WATCHED_READING} at the latest look: {run.small_error:.4f} over "
        f"documents worth {run.small_documents:.0f}, of the whole panel at the same step: "
        f"{run.panel_error:.4f} ({run.small_error / run.panel_error:.2f}x); the values differ by "
        f"{run.off:.4f} on average, where the whole panel read {run.read_from:.3f} to "
        f"{run.read_to:.3f}"
    )
