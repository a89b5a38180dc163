"""What fails inside a guard is reported, and does not end the run that it guards."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from collapse_guard.errors import bad_argument

logger = logging.getLogger("collapse_guard")

OnError = Literal["report", "raise"]

Telling = Callable[[Exception], str]
"""What a failure comes to, in words that go on from "... failed; "."""


GOES_ON = "training goes on, and this kind of failure is not told again."
"""What most failures come to."""


class FailureGuard:
    """Keeps failures from reaching the training loop, and tells of each kind once.

    Args:
        on_error: `"report"` logs the first failure of each kind with its traceback; `"raise"`
            lets every one pass.

    Raises:
        ArgumentError: `on_error` is neither.
    """

    def __init__(self, on_error: OnError = "report") -> None:
        if not isinstance(on_error, str) or on_error not in ("report", "raise"):
            raise bad_argument(
                "on_error", expected='"report" or "raise"', given=on_error, hint="choose"
            )
        self.on_error = on_error
        self._told: set[tuple[str, type[Exception]]] = set()

    def forget(self) -> None:
        """Tell of each kind of failure anew: another run begins."""
        self._told.clear()

    @contextmanager
    def contained(self, task: str, *, telling: Telling | None = None) -> Iterator[None]:
        """Run a block so that an error in it ends the block, not the training.

        Args:
            task: What the block does, as in "taking a reading".
            telling: Asked at each failure, also where that is raised, or was told before; where
                left out, that is `GOES_ON`.
        """
        try:
            yield
        # Every exception, out-of-memory included: raised here it would end the training, or, with
        # `auto_find_batch_size`, restart it from weights that are already trained.
        except Exception as error:
            outcome = GOES_ON if telling is None else telling(error)
            if self.on_error == "raise":
                raise
            if (task, type(error)) not in self._told:
                self._told.add((task, type(error)))
                logger.exception("%s failed; %s", task, outcome)
