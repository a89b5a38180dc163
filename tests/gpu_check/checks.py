"""What there is to check, and what a check gets and gives."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

Rows = Sequence[Mapping[str, Any]]
"""A table: a mapping for each row, from the column's title to a number or text."""

Figures = Mapping[str, Any]
"""Numbers, texts and tables, by what they are."""


@dataclass(frozen=True)
class Place:
    """Where a check runs.

    Attributes:
        folder: For what it writes; its own, and empty.
        deadline: By `time.monotonic`, when it is broken off.
        small: Whether it is only tried, on whatever there is: it computes little, and judges
            nothing that takes a GPU, or time, to be so.
        note: Keeps figures, should it be broken off later.
    """

    folder: Path
    deadline: float
    small: bool = False
    note: Callable[[Figures], None] = lambda figures: None

    @cached_property
    def device(self) -> str:
        """Where models are: "cuda", or "cpu" where there is none."""
        # Here, since whoever lists the checks need not wait for it.
        import torch

        return "cuda" if torch.cuda.is_available() else "cpu"

    def seconds_left(self) -> float:
        """Until it is broken off."""
        return self.deadline - time.monotonic()


@dataclass(frozen=True)
class Findings:
    """What a check found.

    Attributes:
        figures: What was measured.
        conditions: What was to be so, in words, and whether it is.
        skipped: Why there was nothing to check, where there was not.
    """

    figures: Figures = field(default_factory=dict)
    conditions: Mapping[str, bool] = field(default_factory=dict)
    skipped: str = ""


@dataclass(frozen=True)
class Check:
    """Something to check.

    Attributes:
        name: A word.
        claim: What the package says.
        function: Module and name of what checks it, `tests.gpu_check.agreement:gradients`.
        least: Seconds under which it is not begun.
        most: Seconds after which it is broken off.
    """

    name: str
    claim: str
    function: str
    least: float
    most: float


CHECKS = (
    Check(
        "gradients",
        "The sampler-matched loss and its gradient are on the GPU what they are on the CPU, and "
        "plain cross-entropy bit for bit where nothing is matched.",
        "tests.gpu_check.agreement:gradients",
        least=5,
        most=60,
    ),
    Check(
        "cuts",
        "Cuts are those of transformers' warpers on the GPU, ties and all orders included.",
        "tests.gpu_check.agreement:cuts",
        least=5,
        most=45,
    ),
    Check(
        "neutrality",
        "A run that is watched is bit-identical: weights, random states, losses and all else.",
        "tests.gpu_check.neutrality:watched_runs",
        least=30,
        most=150,
    ),
    Check(
        "recursion",
        "On its own text a model loses its tail; with the floor and the matched loss it does not.",
        "tests.gpu_check.recursion:generations",
        least=60,
        most=240,
    ),
    Check(
        "overhead",
        "Looks take the hundredth of the training time that they are given, and no memory.",
        "tests.gpu_check.overhead:watched_training",
        least=35,
        most=100,
    ),
    Check(
        "loss",
        "What a training step costs with the sampler-matched loss in place of the plain one.",
        "tests.gpu_check.loss_cost:training_steps",
        least=30,
        most=90,
    ),
    Check(
        "compiled",
        "A run that is watched is bit-identical under torch.compile too.",
        "tests.gpu_check.neutrality:compiled_runs",
        least=45,
        most=150,
    ),
)
"""In the order in which they run: what is quick, and then what matters most, comes first."""
