"""The time that looks take, and the time that training takes between them."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from collapse_guard.statistics.json_forms import Part, RestoredWhole


class Stopwatch(RestoredWhole):
    """Tells seconds inside of the monitor from seconds of training.

    Args:
        clock: Seconds from any origin.

    Attributes:
        trained: Seconds of training so far, as far as they were seen.
        looked: Seconds that looks took so far.
        written: Those of them in which the model wrote.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._left_at: float | None = None
        self.trained = 0.0
        self.looked = 0.0
        self.written = 0.0

    @property
    def overhead(self) -> float:
        """Seconds of looks over seconds of training; NaN before any training."""
        return self.looked / self.trained if self.trained else float("nan")

    @property
    def writing_overhead(self) -> float:
        """Seconds in which the model wrote over seconds of training; NaN before any training."""
        return self.written / self.trained if self.trained else float("nan")

    def restart(self) -> None:
        """Forget all that was timed."""
        self._left_at, self.trained, self.looked, self.written = None, 0.0, 0.0, 0.0

    def arrive(self) -> float | None:
        """Training pauses: the seconds that it took since `leave`, None where nothing was seen."""
        if self._left_at is None:
            return None
        seconds = self._clock() - self._left_at
        self._left_at = None
        self.trained += seconds
        return seconds

    def leave(self) -> None:
        """Training goes on."""
        self._left_at = self._clock()

    def pause(self) -> None:
        """Training stops for a while: the time until `leave` is nobody's."""
        self._left_at = None

    @contextmanager
    def looking(self, device: torch.device) -> Iterator[list[float]]:
        """Time a look.

        An accelerator works behind the program's back: what it still has to do of the training is
        waited for before the look, and so counts as training.

        Args:
            device: Where the model is.

        Yields:
            A list that holds the seconds of the look once the block has ended.
        """
        if device.type == "cuda":
            before = self._clock()
            torch.cuda.synchronize(device)
            self.trained += self._clock() - before
        seconds: list[float] = []
        began = self._clock()
        try:
            yield seconds
        finally:
            seconds.append(self._clock() - began)
            self.looked += seconds[0]

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Time that part of a look in which the model writes."""
        began = self._clock()
        try:
            yield
        finally:
            self.written += self._clock() - began

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs, in plain JSON types."""
        return {"trained": self.trained, "looked": self.looked, "written": self.written}

    def restoring(self, state: Part) -> Callable[[], None]:
        """As `RestoredWhole.restoring`; the time until then is nobody's."""
        # The last release's does not say what was written.
        parts = state.keys("trained", "looked", optional=["written"])
        seconds = {name: part.number(least=0.0) for name, part in parts.items()}

        def restore() -> None:
            self.trained, self.looked = seconds["trained"], seconds["looked"]
            self.written = seconds.get("written", 0.0)
            self._left_at = None

        return restore
