"""A pipeline that kills itself in the middle of a task, where it is told to."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from collapse_guard.integrations import CollapseStats
from tests.integrations.datatrove.corpus import run


def dies(data: Any, rank: int = 0, world_size: int = 1) -> Iterator[Any]:
    """Passes documents on, and dies after some of a task."""
    for number, document in enumerate(data):
        if number == 40 and str(rank) == os.environ.get("KILL_AT"):
            os.kill(os.getpid(), signal.SIGKILL)
        yield document


if __name__ == "__main__":
    base = Path(sys.argv[1])
    stats = CollapseStats(str(base / "stats"), characters=100_000)
    run(base / "human", [dies, stats], base / "logs", tasks=8)
