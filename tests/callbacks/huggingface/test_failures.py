"""Failures that a Trainer could take for its own."""

import pytest
import torch

from collapse_guard import ArgumentError
from collapse_guard.callbacks.huggingface.failures import TrainerFailures
from collapse_guard.errors import CollapseGuardError


@pytest.mark.parametrize("error", [RuntimeError("memory"), torch.OutOfMemoryError("memory")])
def test_one_about_memory_gets_another_name_where_that_matters(error: RuntimeError) -> None:
    failures = TrainerFailures("raise")
    with pytest.raises(type(error), match=r"^memory$"), failures.contained("looking"):
        raise error
    failures.finds_batch_size = True
    with (
        pytest.raises(CollapseGuardError, match=r"^looking failed: memory$") as raised,
        failures.contained("looking"),
    ):
        raise error
    assert not isinstance(raised.value, RuntimeError)
    assert raised.value.__cause__ is error


def test_others_keep_theirs() -> None:
    failures = TrainerFailures("raise")
    failures.finds_batch_size = True
    with pytest.raises(ValueError, match="broken"), failures.contained("looking"):
        raise ValueError("broken")


def test_what_is_reported_does_not_pass(caplog: pytest.LogCaptureFixture) -> None:
    failures = TrainerFailures("report")
    failures.finds_batch_size = True
    for _ in range(2):
        with failures.contained("looking"):
            raise RuntimeError("memory")
    assert caplog.text.count("looking failed; training goes on") == 1
    with pytest.raises(ArgumentError, match="`on_error`"):
        TrainerFailures("ignore")  # type: ignore[arg-type]
