"""What `import collapse_guard` and its whole core cost where torch is loaded already."""

import subprocess
import sys
from statistics import median

import pytest

from tests.packaging.layout import ROOT, core_modules

RUNS = 5


@pytest.mark.benchmark
@pytest.mark.parametrize("what", ["collapse_guard", "the whole core"])
def test_import_cost(what: str) -> None:
    modules = [what] if what == "collapse_guard" else core_modules()
    script = f"""
from time import perf_counter
import numpy, torch
start = perf_counter()
import {", ".join(modules)}
print(perf_counter() - start)
"""
    seconds = [
        float(subprocess.check_output([sys.executable, "-c", script], cwd=ROOT, text=True))
        for _ in range(RUNS)
    ]
    print(f"\nimporting {what} after torch: {1e3 * median(seconds):.1f} ms (median of {RUNS})")
