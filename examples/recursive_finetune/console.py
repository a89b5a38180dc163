"""What a run prints: a line for each generation, and a bar below the lines."""

import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from tqdm.auto import tqdm

from collapse_guard.examples.recursive_finetune.progress import progress_bar
from collapse_guard.examples.recursive_finetune.results import GenerationResult


class Console:
    """Prints for the main process and is silent in all others.

    Args:
        generations: How many generations a chain has.
        chains: How many chains there are.
        silent: Whether this is another process.
    """

    def __init__(self, *, generations: int, chains: int, silent: bool) -> None:
        self._generations = generations
        self._total = generations * chains
        self._silent = silent
        self._bar: tqdm[Any] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        if not self._silent:
            tqdm.write(text)
            # A run takes minutes: who reads it through a pipe shall not wait for the end of it.
            sys.stdout.flush()

    def show(self, chain: str, history: Sequence[GenerationResult]) -> None:
        """Tell of the newest generation of a chain."""
        if self._bar is None:
            self._bar = progress_bar("generations", total=self._total, shown=not self._silent)
        newest = history[-1]
        # Finished chains are full, so what is done is the position within this one on top.
        done = self._bar.n - self._bar.n % self._generations + newest.generation
        self._bar.update(done - self._bar.n)
        if newest.generation:
            self.say(generation_line(chain, newest, self._generations))


def generation_line(chain: str, result: GenerationResult, generations: int) -> str:
    """One line for one generation: the readings that matter here, and the alert if there is one."""
    readings = result.readings
    alert = ""
    if result.alerts:
        alert = f"  ALERT at step {result.alerts[0].step}: {result.alerts[0].rule}"
    return (
        f"{chain:<9}{result.generation:>2}/{generations}"
        f"  perplexity {readings['perplexity']:6.1f}"
        f"  tail kept {readings['tail_retention']:4.0%}"
        f"  head kept {readings['head_retention']:4.0%}"
        f"  tail mass {readings['tail_mass_ratio']:.2f}"
        f"  vocabulary {readings['effective_vocabulary']:5.0f}"
        f"  distinct-2 {result.distinct_2:.2f}{alert}"
    )
