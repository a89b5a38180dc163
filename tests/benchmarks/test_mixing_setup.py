"""What it takes to set up a mixed stream, and to find a slot of it, by the number of rows.

Each figure is of a fresh process. Memory is how far the kernel's high-water mark of resident memory
rises in the call; a given rarity array is there before. Against it stands one shuffled list of all
row numbers, which is what torch's `RandomSampler` makes for each epoch.
"""

import subprocess
import sys

import pytest

from tests.packaging.layout import ROOT

pytestmark = pytest.mark.benchmark

WAYS = {
    "counts only": "guard({})",
    "rarity given": "guard(dict(boost=RareBoost(3.0, by=rarity)))",
    "shuffled list": "torch.randperm(2 * rows).tolist()",
}


def measured(way: str, rows: int) -> tuple[float, float]:
    """CPU seconds and bytes of one set-up."""
    script = f"""
import re
from time import process_time
import numpy as np, torch
from collapse_guard import MixGuard, RareBoost
from tests.mixing.conftest import Count
def kilobytes(field):
    return int(re.search(field + r":\\s+(\\d+) kB", open("/proc/self/status").read())[1])
def guard(settings):
    human, synthetic = Count(rows), Count(rows)
    return MixGuard(human, synthetic, human_fraction=0.5, block_size=32, **settings)
rows = 1000
rarity = np.arange(rows, dtype=np.float32)
{WAYS[way]}
rows = {rows}
rarity = np.random.default_rng(0).random(rows, dtype=np.float32)
open("/proc/self/clear_refs", "w").write("5")
before = kilobytes("VmRSS")
start = process_time()
kept = {WAYS[way]}
print(process_time() - start, (kilobytes("VmHWM") - before) * 1024)
"""
    out = subprocess.check_output([sys.executable, "-c", script], cwd=ROOT, text=True)
    seconds, peak = map(float, out.split())
    return seconds, peak


@pytest.mark.parametrize("rows", [1_000_000, 10_000_000])
def test_setting_up(rows: int) -> None:
    figures = {way: measured(way, rows) for way in WAYS}
    whole, list_peak = figures["shuffled list"]
    for way in ("counts only", "rarity given"):
        seconds, peak = figures[way]
        print(
            f"\n| {way}, 2 x {rows:,} rows | {1e3 * seconds:.1f} | {1e3 * whole:,.0f} "
            f"| {whole / seconds:,.0f}x | {peak / 1e6:.1f} | {list_peak / 1e6:,.0f} "
            f"| {peak / rows:.1f} |"
        )
