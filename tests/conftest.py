"""What holds for every test: no network, no display, no chance, no model cache but our own."""

import atexit
import gc
import os
import random
import shutil
import socket
import tempfile

import pytest
from hypothesis import HealthCheck, Phase, settings

# Set on import, before any test can import a library that reads them once and for all.
_CACHE = tempfile.mkdtemp(prefix="collapse_guard_tests_")
atexit.register(shutil.rmtree, _CACHE, ignore_errors=True)
os.environ.update(
    HF_DATASETS_OFFLINE="1",
    HF_HOME=_CACHE,
    HF_HUB_OFFLINE="1",
    MPLBACKEND="Agg",
    # Tiny models gain nothing from threads, and spinning ones starve whatever runs beside them.
    OMP_NUM_THREADS="1",
    TOKENIZERS_PARALLELISM="false",
    TRACKIO_DIR=os.path.join(_CACHE, "trackio"),
)

# One and the same run everywhere: no deadline, because shared machines stall, and no database.
settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
settings.register_profile("thorough", max_examples=2_000, deadline=None, print_blob=True)
# For mutants of the code, of which only whether they are noticed is asked, of each many times: and
# in one process, where the tests of a class are those of another object each time.
settings.register_profile(
    "mutants",
    settings.get_profile("repeatable"),
    max_examples=30,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.differing_executors],
)
settings.load_profile("repeatable")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put files with slow tests first, so that no process is left with a long one at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(autouse=True, scope="module")
def _no_search_of_what_is_imported() -> None:
    """Leave what is there before a module's tests out of every search for garbage in them.

    Trainers search several times a run, and went through all that all libraries have each time,
    which was a third of what their tests took.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _no_chance() -> None:
    """Start each test in the same random states, whatever ran before it.

    What a test makes without a seed of its own, such as the first weights of an adapter, is then
    the same in every run, in any order and on any number of workers.
    """
    # Here, since libraries may only be imported once the environment is set.
    import numpy as np
    import torch

    # None that anybody sets, which would look as if nothing had been set.
    random.seed(20_113)
    np.random.seed(20_113)
    torch.manual_seed(20_113)


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse connections that leave this machine; loopback and unix sockets stay open."""
    connect = socket.socket.connect

    def connect_at_home(self: socket.socket, address: object) -> None:
        host = address[0] if isinstance(address, tuple) else "localhost"
        if host not in {"127.0.0.1", "::1", "localhost", ""}:
            raise OSError(f"a test tried to reach {host}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect_at_home)
