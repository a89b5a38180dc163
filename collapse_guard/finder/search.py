"""What a search for a decoding found, with what speaks for it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, Self

from collapse_guard.model.decoding import PLAIN, Decoding
from collapse_guard.statistics.estimates import Estimate, difference
from collapse_guard.statistics.student import student_half_width


class Comparison(NamedTuple):
    """How much higher a loss is than another, over the same documents.

    Attributes:
        difference: In nats a token.
        low: Where its interval of 95% begins.
        high: Where it ends.
    """

    difference: float
    low: float
    high: float

    @property
    def told_apart(self) -> bool:
        """Whether the interval leaves 0 out."""
        return not self.low <= 0 <= self.high


def compared(loss: Estimate, other: Estimate) -> Comparison:
    """Compare two losses document by document: what documents share cancels.

    The interval is Student's t over documents, for this one comparison. Where documents have
    several lengths, as many count as there would be of one length for the same error (Kish).

    Args:
        loss: Over at least 2 documents.
        other: Over the same documents.

    Example:
        >>> import numpy as np
        >>> from collapse_guard.statistics.estimates import document_mean
        >>> one, other = (document_mean(np.array(each)) for each in ([1.0, 2.0], [0.5, 1.0]))
        >>> apart = compared(one, other)
        >>> apart.difference, round(apart.low, 2), round(apart.high, 2), apart.told_apart
        (0.75, -2.43, 3.93, False)
    """
    apart = difference(loss, other)
    reach = student_half_width(apart.standard_error, apart.units)
    return Comparison(apart.value, apart.value - reach, apart.value + reach)


@dataclass(frozen=True)
class DecodingTrial:
    """How one candidate did.

    Attributes:
        decoding: The candidate.
        steps: Optimizer steps after which it was scored last. One that was left behind in an early
            round has fewer than the best.
        human_nll: Mean negative log-likelihood of the human text after them, in nats a token.
        standard_error: Of that, over documents.
        difference: How much higher that is than under the best candidate after as many steps, in
            nats a token.
        interval: Of the difference, 95%, for this one comparison.
    """

    decoding: Decoding
    steps: int
    human_nll: float
    standard_error: float
    difference: float
    interval: tuple[float, float]

    @property
    def told_apart(self) -> bool:
        """Whether it is told apart from the best: its interval leaves 0 out."""
        return Comparison(self.difference, *self.interval).told_apart

    def to_dict(self) -> dict[str, Any]:
        """Itself in plain JSON types."""
        return {
            **asdict(self),
            "decoding": self.decoding.to_dict(),
            "interval": list(self.interval),
            "told_apart": self.told_apart,
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Self:
        """A trial from what `to_dict` gave."""
        low, high = state["interval"]
        return cls(
            Decoding.from_dict(state["decoding"]),
            **{name: state[name] for name in ("steps", "human_nll", "standard_error")},
            difference=state["difference"],
            interval=(low, high),
        )


@dataclass(frozen=True)
class DecodingSearch:
    """A decoding that was found, and the trials that it was found by.

    `print` shows the trials as a table.

    Attributes:
        decoding: The best of all that were tried to the end. Give it to the source of the rows, or
            to `sampler_matched_loss`.
        trials: By steps, most first, and then by the human text's loss, best first.
        nll_before: The human text's loss before any training, in nats a token.
        documents: Human documents that all were scored on.
        steps: Optimizer steps of all trials together.
        seconds: What the whole search took.
        notes: What was left out and why, a sentence each.
    """

    decoding: Decoding
    trials: tuple[DecodingTrial, ...]
    nll_before: float
    documents: int
    steps: int
    seconds: float
    notes: tuple[str, ...] = ()

    @property
    def best(self) -> DecodingTrial:
        """The trial of `decoding`."""
        return self._trial(self.decoding)

    @property
    def plain(self) -> DecodingTrial:
        """The trial of plain text: drawn from a model as it is, or written by people."""
        return self._trial(PLAIN)

    @property
    def told_apart_from_plain(self) -> bool:
        """Whether the best candidate is told apart from plain text."""
        return self.plain.told_apart

    @property
    def verdict(self) -> str:
        """What was found, in a sentence or two."""
        best, plain = self.best, self.plain
        after = f"after {best.steps} steps on the rows"
        if best is plain:
            return (
                f"The rows are best trained on as they are (T 1): {after}, held-out human text is "
                f"likelier than with any sampler that was tried{self._rivals()}."
            )
        low, high = plain.interval
        gain = (
            f"{after}, {self.documents} held-out human documents lose {plain.difference:.4f} nats "
            f"a token less (95%: {low:.4f} to {high:.4f}) than with the plain loss"
        )
        if self.told_apart_from_plain:
            return f"The rows look drawn with {self.decoding}: {gain}{self._rivals()}."
        return (
            f"No sampler is told apart from plain text, so that the plain loss serves as well; the "
            f"best is {self.decoding}: {gain}{self._rivals()}."
        )

    def to_dict(self) -> dict[str, Any]:
        """Itself in plain JSON types."""
        return {
            "decoding": self.decoding.to_dict(),
            "told_apart_from_plain": self.told_apart_from_plain,
            "verdict": self.verdict,
            "trials": [trial.to_dict() for trial in self.trials],
            "nll_before": self.nll_before,
            "documents": self.documents,
            "steps": self.steps,
            "seconds": self.seconds,
            "notes": list(self.notes),
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Self:
        """A search from what `to_dict` gave."""
        return cls(
            decoding=Decoding.from_dict(state["decoding"]),
            trials=tuple(map(DecodingTrial.from_dict, state["trials"])),
            notes=tuple(state["notes"]),
            **{name: state[name] for name in ("nll_before", "documents", "steps", "seconds")},
        )

    def __str__(self) -> str:
        width = max(len(str(trial.decoding)) for trial in self.trials)
        head = f"{'decoding':{width}}  steps  human NLL (s.e.)   above the best, 95%"
        lines = [head, *(_line(trial, self, width) for trial in self.trials)]
        cost = f"{self.steps} steps and {self.seconds:.1f} s in all; before: {self.nll_before:.4f}"
        return "\n".join([self.verdict, *lines, cost, *(f"- {note}" for note in self.notes)])

    def _rivals(self) -> str:
        """Who is not told apart from the best, plain text aside."""
        rivals = [
            str(trial.decoding)
            for trial in self.trials
            if not trial.told_apart and trial.decoding not in (self.decoding, PLAIN)
        ]
        return f"; not told apart from it: {', or '.join(rivals)}" if rivals else ""

    def _trial(self, decoding: Decoding) -> DecodingTrial:
        return next(trial for trial in self.trials if trial.decoding == decoding)


def _line(trial: DecodingTrial, search: DecodingSearch, width: int) -> str:
    low, high = trial.interval
    nll = f"{trial.human_nll:.4f} ({trial.standard_error:.4f})"
    score = f"{trial.decoding!s:{width}}  {trial.steps:5}  {nll}"
    if trial.decoding == search.decoding:
        return f"{score}    the best"
    apart = "" if trial.told_apart else ", not told apart"
    return f"{score}    {trial.difference:+.4f} ({low:+.4f} to {high:+.4f}){apart}"


def trials_of(
    losses: Mapping[Decoding, Mapping[int, Estimate]], best: Decoding
) -> tuple[DecodingTrial, ...]:
    """The trials of a search, each compared with the best after as many steps.

    Args:
        losses: For each candidate, its loss by the number of steps after which it was scored.
        best: The best of them, which was scored whenever another one was.
    """
    trials = []
    for decoding, own in losses.items():
        steps = max(own)
        apart = compared(own[steps], losses[best][steps])
        loss = own[steps]
        trials.append(
            DecodingTrial(
                decoding,
                steps,
                loss.value,
                loss.standard_error,
                apart.difference,
                (apart.low, apart.high),
            )
        )
    return tuple(sorted(trials, key=lambda trial: (-trial.steps, trial.human_nll)))
