"""One process or many: who does what, and on which device."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TypeVar

import torch
from accelerate import PartialState
from accelerate.utils import gather_object

T = TypeVar("T")

# One process trains the first model while the others wait.
_PATIENCE = timedelta(hours=2)


class Processes:
    """The processes of a run: one, or those that `torchrun` started.

    Args:
        cpu: Leave GPUs alone.

    Attributes:
        device: Of this process.
        count: Number of processes.
        rank: Of this process, from 0.
        is_main: Whether this is the process that writes and prints.
    """

    def __init__(self, *, cpu: bool = False) -> None:
        self._cpu = cpu or not torch.cuda.is_available()
        state = self._state()
        self.device: torch.device = state.device
        self.count: int = state.num_processes
        self.rank: int = state.process_index
        self.is_main: bool = state.is_main_process

    def _state(self) -> PartialState:
        # Asked anew each time: the Trainer resets the shared state behind it.
        return PartialState(cpu=self._cpu, timeout=_PATIENCE)

    def wait(self) -> None:
        """Go on when every process is here."""
        self._state().wait_for_everyone()

    def deal(self, items: Sequence[T]) -> Sequence[T]:
        """This process's share of the items."""
        return items[self.rank :: self.count]

    def gather(self, items: list[T]) -> list[T]:
        """The items of every process, on every process."""
        self._state()
        gathered: list[T] = gather_object(items)
        return gathered

    def main_first(self, work: Callable[[], None]) -> None:
        """Let the main process do something that the others wait for."""
        if self.is_main:
            work()
        self.wait()
