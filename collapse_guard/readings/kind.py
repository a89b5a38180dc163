"""What a reading is: its name and meaning, how to judge it, and how it is taken."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

from collapse_guard.arguments import a, check_fields, flag, one_of, optional, text
from collapse_guard.errors import bad_argument
from collapse_guard.readings.evidence import Evidence
from collapse_guard.statistics.estimates import Estimate

Cost = Literal["each look", "whole panel", "writes text"]
"""When a reading is taken: at each look; where all of the panel is looked at; there, and of text
that the model is let write."""

Bad = Literal["low", "high", "either"]
"""Which way a reading goes when a model collapses."""

Start = Literal["any", "above 0", "below 0", "at 0", "either side", "none"]
"""Where a run's start stands, of which a rule may take a multiple; none where it has no start."""

Needs = Literal["against_base", "control", "prequential", "sampling"]
"""The argument of `CollapseMonitor` without which a reading cannot be had."""

_FLAG = flag(hint="leave it out")

_CHOICES = {"cost": Cost, "bad": Bad, "start": Start}


@dataclass(frozen=True, eq=False)
class ReadingKind:
    """One kind of reading: everything that the rest of the package asks about it.

    Those of the package are in `collapse_guard.readings.registry`. One of your own works like them:
    in `CollapseMonitor(panel, readings=[..., mine])`, in `Threshold("mine", below=0.5)`, in what is
    logged, saved with checkpoints and plotted.

    Attributes:
        name: Letters, digits and underscores: the key that it is logged by.
        meaning: What it is, as a noun phrase, for tables and alerts.
        take: Reads it off what a look has seen, and returns the value, or an `Estimate` where its
            standard error over documents is known. It must not change the model or a random state;
            `collapse_guard.model.undisturbed.undisturbed` keeps both.
        unit: Such as "nats"; "" for a ratio or a share.
        bad: Whether "low" or "high" values are those of a model that collapses, or "either".
        on_log_scale: Whether its logarithm is nearer to a mean over documents than it is itself;
            rules then compare logarithms.
        cost: When it is taken: "each look", "whole panel" or "writes text". At a look at a part of
            the panel there are no `scores`.
        start: Where its start stands: "above 0", "below 0", "at 0", "either side" of it, "any"
            where that is not known, "none" where it is never told against the run's start.
        needs: The argument of the monitor that it needs, or None.
        keep_start: What is to be kept of the start for `take` to find in `evidence.kept(name)`, in
            plain JSON types, since it is saved with every checkpoint.
        logs_error: Whether its standard error is logged beside it, as `<name>_se`.
        agrees: Of the package's own: whether all processes of a distributed run get the same
            estimate by themselves, as of sums that they have shared. Of others, that of the first
            process counts.
        of_types: Whether it is of the predicted distribution over types, or of what is drawn from
            it: a panel that scores itself (`ScoresItself`) has none.

    Raises:
        ArgumentError: At construction, for an argument that cannot work.

    Example:
        >>> from collapse_guard import ReadingKind
        >>> norm = ReadingKind(
        ...     "weight_norm",
        ...     "Euclidean norm of all weights",
        ...     lambda evidence: float(sum(p.square().sum() for p in evidence.model.parameters())),
        ...     cost="each look",
        ... )
        >>> norm.name, norm.bad
        ('weight_norm', 'low')
    """

    name: str
    meaning: str
    take: Callable[[Evidence], Estimate | float]
    unit: str = ""
    bad: Bad = "low"
    on_log_scale: bool = False
    cost: Cost = "whole panel"
    start: Start = "any"
    needs: Needs | None = None
    keep_start: Callable[[Evidence], Any] | None = None
    logs_error: bool = False
    agrees: bool = False
    of_types: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.isidentifier():
            raise bad_argument(
                "name",
                expected="letters, digits and underscores",
                given=self.name,
                hint="it becomes a logged key, such as eval_collapse/my_reading",
            )
        if not isinstance(self.meaning, str) or not self.meaning:
            raise bad_argument(
                "meaning",
                expected="a noun phrase that says what the reading is",
                given=self.meaning,
                hint=f"say it for {self.name}: alerts tell it to people",
            )
        for argument in ("take", "keep_start"):
            function = getattr(self, argument)
            if not callable(function) and not (function is None and argument == "keep_start"):
                raise bad_argument(
                    argument,
                    expected="a function of the evidence of a look",
                    given=function,
                    hint=f"see collapse_guard.readings.evidence.Evidence for what {self.name} can "
                    "be read off",
                )
        for argument, allowed in _CHOICES.items():
            one_of(*get_args(allowed), hint=f"choose one for {self.name}")(
                argument, getattr(self, argument)
            )
        check_fields(
            self,
            unit=text(hint='"nats", for example; "" for a ratio'),
            on_log_scale=_FLAG,
            needs=optional(one_of(*get_args(Needs), hint="leave it out")),
            logs_error=_FLAG,
            agrees=_FLAG,
            of_types=_FLAG,
        )


A_KIND = a(ReadingKind, expected="a ReadingKind", hint="see collapse_guard.readings.registry")
"""Checks an argument that is to be one."""
