"""What watching a run costs where steps are quick and the accelerator works by itself."""

from dataclasses import replace

import numpy as np

from tests.benchmarks.watched_run import Blocks, WatchedRun, measure
from tests.gpu_check.checks import Findings, Place
from tests.scales import Scale

SCALE = Scale(49_152, 768, 12, 12, rows=16, window=512, device="cuda")
"""130 M parameters. A step is 6.6e12 operations, so 17 ms at half of what an H100 gives in
bfloat16; with what is not matrix products 30 to 70 ms is guessed."""

BLOCKS = Blocks(count=16, steps=24, seconds=45)
"""Guessed 35 to 70 seconds, with a small look after each hundred watched steps or so."""

SMALL, FEW = Scale(256, 32, 1, 2, rows=8, window=32), Blocks(count=2, steps=24, overhead=0.5)

SHARE, LONGER, LARGER = 0.0125, 1.03, 1.02
"""What looks may take of the training's time, and steps and memory against those without them."""


def watched_training(place: Place) -> Findings:
    """One model, in blocks of steps with and without a monitor at `Budget(0.01)`."""
    scale, blocks = (replace(SMALL, device=place.device), FEW) if place.small else (SCALE, BLOCKS)
    run = measure(scale, 3e-6, blocks)
    clock = {name: times[..., 0] for name, times in (("no", run.without), ("yes", run.watched))}
    ratio = float(clock["yes"].sum() / clock["no"].sum())
    memory = run.peak_watched / run.peak_without
    figures = {
        "model": f"Llama of {run.parameters / 1e6:.0f} M parameters, {scale.vocab_size:,} types",
        "step": f"{scale.rows} rows of {scale.window} tokens",
        "panel": f"{run.windows} windows of {run.documents} documents",
        "steps": _steps(run),
        "share of the training that looks took": run.looks_share,
        "steps with the monitor over steps without, all of them": ratio,
        "the same, median steps": float(np.median(clock["yes"]) / np.median(clock["no"])),
        "the same, blocks": [float(each) for each in clock["yes"].sum(1) / clock["no"].sum(1)],
        "overhead_spent, the start among it": run.spent,
        "seconds of the first look and what is timed there": float(run.start[0]),
        "seconds of the last look": float(run.end[0]),
        "small looks": run.small_looks,
        "looks at the whole panel in between": run.full_looks,
        "windows of a small look": run.last_windows,
        "peak memory with the monitor over that without": memory,
        "standard error at a small look over that of the whole panel": run.small_error
        / run.panel_error,
    }
    if place.small:
        return Findings(figures)
    return Findings(
        figures,
        {
            f"looks take at most {SHARE:.2%} of the training": run.looks_share <= SHARE,
            f"steps take at most {LONGER - 1:.0%} longer": ratio <= LONGER,
            f"peak memory grows by at most {LARGER - 1:.0%}": memory <= LARGER,
        },
    )


def _steps(run: WatchedRun) -> list[dict[str, object]]:
    rows = []
    for name, times, peak in (
        ("without", run.without, run.peak_without),
        ("with", run.watched, run.peak_watched),
    ):
        rows.append(
            {
                "monitor": name,
                "steps": times[..., 0].size,
                "ms of a step, median": 1e3 * float(np.median(times[..., 0])),
                "mean": 1e3 * float(times[..., 0].mean()),
                "peak MB": peak / 1e6,
            }
        )
    return rows
