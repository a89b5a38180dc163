"""What a look takes of each process where several share it.

A GPT-2 of 3 million parameters, a panel of 240 documents, looks at the whole panel without writing,
on CPUs with a thread for each process (`tests.benchmarks.shared_look`). Seconds of the processor
tell the share of each; those of the clock say little where processes are more than cores.
"""

import json
import subprocess
import sys

import pytest

from tests.packaging.layout import ROOT
from tests.processes import free_port

pytestmark = pytest.mark.benchmark


@pytest.mark.parametrize("world", [1, 2, 4])
def test_a_look_shared_by_so_many(world: int) -> None:
    port = free_port()
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.shared_look", *map(str, (rank, world, port))],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(world)
    ]
    said = [json.loads(each.communicate()[0].splitlines()[-1]) for each in running]
    used, taken, passes = ([one[name] for one in said] for name in ("used", "taken", "passes"))
    print(
        f"\n| {world} | {max(used):.2f} | {sum(used):.2f} | {max(taken):.2f} | {max(passes):.0f} |",
        end="",
    )
