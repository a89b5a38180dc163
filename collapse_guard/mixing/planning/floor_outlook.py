"""What one human floor would mean for a run."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate, pairwise

from collapse_guard.mixing.floor import Stages
from collapse_guard.mixing.planning.repetition import worth


@dataclass(frozen=True)
class FloorOutlook:
    """What one human floor would show of the rows that there are, were it kept to the end.

    Attributes:
        human_share: Share of the tokens that is human, over the whole run, from 0 to 1.
        human_shown: Human tokens that are shown.
        synthetic_shown: Synthetic tokens that are shown.
        human_times: How often each human row is seen, on average; None where some must be shown
            and there are none.
        synthetic_times: The same of synthetic rows.
        human_worth: As how many fresh tokens the human ones count, by `worth`; None as above.
        synthetic_worth: The same of synthetic ones.
        held_for: For which share of the run the floor can be held, from 0 to 1: until every human
            row has been shown `max_repeats` times.
        filled_for: For which share of the run there are synthetic rows for all other slots.
    """

    human_share: float
    human_shown: float
    synthetic_shown: float
    human_times: float | None
    synthetic_times: float | None
    human_worth: float | None
    synthetic_worth: float | None
    held_for: float
    filled_for: float

    @property
    def fits(self) -> bool:
        """Whether rows of both kinds suffice to the end."""
        return self.held_for == self.filled_for == 1

    @property
    def human_cost(self) -> float | None:
        """Share of the human tokens shown that repeating takes, from 0 to 1."""
        return _cost(self.human_shown, self.human_worth)

    @property
    def synthetic_cost(self) -> float | None:
        """Share of the synthetic tokens shown that repeating takes, from 0 to 1."""
        return _cost(self.synthetic_shown, self.synthetic_worth)

    def __str__(self) -> str:
        told = [
            _told("human", self.human_times, self.human_cost),
            _told("synthetic", self.synthetic_times, self.synthetic_cost),
        ]
        return f"{', '.join(told)}; {self._lasts()}"

    def _lasts(self) -> str:
        if self.fits:
            return "lasts to the end"
        short, lasts = min(
            (("human", self.held_for), ("synthetic", self.filled_for)), key=lambda each: each[1]
        )
        return f"{short} rows out after {lasts:.0%}"


def _told(kind: str, times: float | None, cost: float | None) -> str:
    if times is None:
        return f"no {kind} rows"
    if cost is None or cost < 0.005:
        return f"{kind} rows {times:.2f} times"
    return f"{kind} rows {times:.2f} times (worth {1 - cost:.0%})"


def outlook_on(
    stages: Stages, *, human: float, synthetic: float, tokens: float, max_repeats: int
) -> FloorOutlook:
    """What a floor would show.

    Args:
        stages: Of the floor, as from `human_stages`.
        human: Human tokens that there are, at least 0.
        synthetic: Synthetic tokens that there are, at least 0.
        tokens: To train on, above 0.
        max_repeats: Most times that a row may be shown.
    """
    ends = [0.0, *(float(until) for until, _ in stages)]
    shares = [float(fraction) for _, fraction in stages]
    share = sum(
        (stop - start) * each for (start, stop), each in zip(pairwise(ends), shares, strict=True)
    )
    human_shown, synthetic_shown = share * tokens, (1 - share) * tokens
    return FloorOutlook(
        human_share=share,
        human_shown=human_shown,
        synthetic_shown=synthetic_shown,
        human_times=_times(human, human_shown),
        synthetic_times=_times(synthetic, synthetic_shown),
        human_worth=_worth(human, human_shown),
        synthetic_worth=_worth(synthetic, synthetic_shown),
        held_for=_lasting(ends, shares, lambda share: share, human * max_repeats / tokens),
        filled_for=_lasting(
            ends, shares, lambda share: 1 - share, synthetic * max_repeats / tokens
        ),
    )


def _times(there: float, shown: float) -> float | None:
    if not shown:
        return 0.0
    return shown / there if there else None


def _worth(there: float, shown: float) -> float | None:
    if not shown:
        return 0.0
    return worth(there, shown) if there else None


def _cost(shown: float, worth: float | None) -> float | None:
    if not shown:
        return 0.0
    return None if worth is None else 1 - worth / shown


def _lasting(
    ends: list[float], shares: list[float], part: Callable[[float], float], supply: float
) -> float:
    """Until which part of the run a supply lasts, which is itself a share of the run's tokens."""
    used = [
        (stop - start) * part(share)
        for (start, stop), share in zip(pairwise(ends), shares, strict=True)
    ]
    for number, total in enumerate(accumulate(used)):
        # Sums of floats: a supply that suffices exactly must not fall short by a hair.
        if total > supply * (1 + 1e-12):
            return ends[number] + (supply - (total - used[number])) / part(shares[number])
    return 1.0
