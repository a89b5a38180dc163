"""A local cluster of Ray of two processors."""

import atexit
import fcntl
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_PATIENCE = 30.0
"""Seconds that Ray has to end. Once, after half an hour, it waited for a thread of its own that had
missed the message to stop, and every other test waited with it."""

_hanging: list[threading.Thread] = []


@contextmanager
def local_cluster() -> Iterator[None]:
    """Start it, and end it."""
    if _hanging:
        pytest.skip("Ray has not come to its end before in this process")
    with (Path(tempfile.gettempdir()) / "collapse_guard-tests-ray.lock").open("w") as alone:
        # Two at once, of two processes that test side by side, took each other's time.
        fcntl.flock(alone, fcntl.LOCK_EX)
        yield from _started()


def _started() -> Iterator[None]:
    # Told before Ray is there, which would otherwise report its use to its makers.
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray

    try:
        ray.init(
            num_cpus=2,
            include_dashboard=False,
            log_to_driver=False,
            object_store_memory=200 << 20,
            logging_level="error",
        )
    except (ConnectionError, OSError, RuntimeError) as error:
        pytest.skip(f"Ray starts no cluster on this machine: {error}")
    ray.data.DataContext.get_current().enable_progress_bars = False
    try:
        yield
    finally:
        ending = threading.Thread(target=ray.shutdown, daemon=True)
        ending.start()
        ending.join(_PATIENCE)
        if ending.is_alive():
            _hanging.append(ending)
            # It would be called, and wait, once more where this process ends. What it has started
            # ends with the process in any case.
            atexit.unregister(ray.shutdown)
