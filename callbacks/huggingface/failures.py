"""Failures under a name that the Hugging Face Trainer does not take for one of its own."""

from collections.abc import Iterator
from contextlib import contextmanager

from collapse_guard.errors import CollapseGuardError
from collapse_guard.failures import FailureGuard, OnError, Telling


class TrainerFailures(FailureGuard):
    """A guard whose failures do not make a Trainer look for another batch size.

    With `auto_find_batch_size` it takes a RuntimeError about memory for one of its own, and starts
    again with smaller batches, from weights that are trained.

    Args:
        on_error: As `FailureGuard` has it.

    Attributes:
        finds_batch_size: Whether the Trainer has that setting.
    """

    def __init__(self, on_error: OnError) -> None:
        super().__init__(on_error)
        self.finds_batch_size = False

    @contextmanager
    def contained(self, task: str, *, telling: Telling | None = None) -> Iterator[None]:
        """As `FailureGuard` has it; what passes is a `CollapseGuardError` where that matters.

        Args:
            task: What the block does, as in "taking a reading".
            telling: As `FailureGuard` has it.

        Raises:
            CollapseGuardError: In place of a RuntimeError, where the Trainer finds its batch size.
        """
        try:
            with super().contained(task, telling=telling):
                yield
        except RuntimeError as error:
            if not self.finds_batch_size:
                raise
            raise CollapseGuardError(f"{task} failed: {error}") from error
