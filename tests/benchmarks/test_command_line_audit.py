"""What `collapse-guard audit` takes, by the size of the files: time linear in it, memory flat.

Human and synthetic texts are two files of JSON lines of one size, 300 characters a row, made of
words of a Zipf law, the synthetic ones drawn at temperature 0.8. Each figure is of a process of its
own: CPU seconds, and the kernel's high-water mark of resident memory. `COLLAPSE_GUARD_AUDIT_MB`
names other sizes, of the two files together.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.packaging.layout import ROOT

pytestmark = pytest.mark.benchmark

MEGABYTES = [int(size) for size in os.environ.get("COLLAPSE_GUARD_AUDIT_MB", "64 256 1024").split()]
_ROWS = 20_000


def write_texts(path: Path, megabytes: int, *, seed: int, temperature: float) -> int:
    """A file of JSON lines; returns how many."""
    rates = (np.arange(200_000) + 2.7) ** (-1 / temperature)
    shares = np.cumsum(rates) / rates.sum()
    # Letters alone: what begins with a digit is no word.
    letters = str.maketrans("0123456789", "abcdefghij")
    words = np.array([str(number + 1000).translate(letters) for number in range(200_000)])
    generator = np.random.default_rng(seed)
    rows = 0
    with path.open("w", encoding="utf-8") as file:
        while file.tell() < megabytes * 1e6:
            drawn = words[np.searchsorted(shares, generator.random((_ROWS, 60)))]
            file.writelines(json.dumps({"text": " ".join(row)}) + "\n" for row in drawn)
            rows += _ROWS
    return rows


@pytest.mark.parametrize("megabytes", MEGABYTES)
def test_an_audit_of_so_many_megabytes(tmp_path: Path, megabytes: int) -> None:
    files = [tmp_path / "human.jsonl", tmp_path / "synthetic.jsonl"]
    rows = [
        write_texts(path, megabytes // 2, seed=seed, temperature=1 - 0.2 * seed)
        for seed, path in enumerate(files)
    ]
    script = f"""
import resource, sys
from collapse_guard.integrations.command_line.run import run
code = run(["audit", {str(files[0])!r}, {str(files[1])!r}, "--json"])
used = resource.getrusage(resource.RUSAGE_SELF)
print(code, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, file=sys.stderr)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)
    code, seconds, peak = done.stderr.split()[-3:]
    assert (code, found["human"]["texts"]) == ("1", rows[0])
    size = sum(path.stat().st_size for path in files) / 1e6
    print(
        f"\n| {size:,.0f} | {sum(rows):,} | {float(seconds):,.0f} | {size / float(seconds):.1f} | "
        f"{float(peak):,.0f} | {found['human']['sampled']:.1%} |"
    )
