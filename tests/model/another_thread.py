"""A thread beside that of a test, which does what it is told and waits."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager


@contextmanager
def another_thread() -> Iterator[Callable[[Callable[[], object]], object]]:
    """Start it; what is given runs there, and is waited for."""
    with ThreadPoolExecutor(1) as pool:

        def do(task: Callable[[], object]) -> object:
            return pool.submit(task).result()

        # It begins with its first task.
        do(lambda: None)
        yield do
