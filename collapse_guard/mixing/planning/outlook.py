"""What a mix of given sizes would show, floor by floor."""

from dataclasses import asdict, dataclass
from typing import Any

from collapse_guard.arguments import number, whole_number
from collapse_guard.errors import bad_argument
from collapse_guard.mixing.floor import HumanFraction, golden_fraction, human_stages
from collapse_guard.mixing.planning.floor_outlook import FloorOutlook, outlook_on

_COMPARED = (0.05, 0.1, 0.25, 0.5, 0.75, 1.0)
_MOST = 1e18


@dataclass(frozen=True)
class MixOutlook:
    """What mixes of given sizes would show: what `MixGuard.plan` returns.

    Attributes:
        human: Human tokens that there are.
        synthetic: Synthetic tokens that there are.
        tokens: Tokens to train on.
        max_repeats: Most times that a row may be shown in the whole run.
        asked: The floor that was asked about; None where none was.
        golden: The floor that `human_fraction="golden"` would set; None without synthetic rows.
        compared: Other floors, from the lowest to the highest.
        least_share: The least human share at which synthetic rows suffice to the end.
        largest_share: The largest human share that can be held to the end. Below `least_share`
            where all rows together do not suffice.
    """

    human: float
    synthetic: float
    tokens: float
    max_repeats: int
    asked: FloorOutlook | None
    golden: FloorOutlook | None
    compared: tuple[FloorOutlook, ...]
    least_share: float
    largest_share: float

    def at(self, human_fraction: HumanFraction) -> FloorOutlook:
        """What a floor would show.

        Args:
            human_fraction: As of `MixGuard`, but for `"golden"`, which is the attribute.

        Raises:
            ArgumentError: It is no floor.
        """
        return outlook_on(
            human_stages(human_fraction),
            human=self.human,
            synthetic=self.synthetic,
            tokens=self.tokens,
            max_repeats=self.max_repeats,
        )

    def to_dict(self) -> dict[str, Any]:
        """All figures as plain nested dicts, ready for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        lines = [
            f"{_amount(self.tokens)} tokens to train on, of {_amount(self.human)} human and "
            f"{_amount(self.synthetic)} synthetic ones, no row more than {self.max_repeats} times",
            *(
                f"{self._name(floor)}: {floor}"
                for floor in sorted(self._floors(), key=lambda floor: floor.human_share)
            ),
            self._which(),
            "Worth: beside as much fresh text, by the law of Muennighoff et al. (2023), fitted on "
            "pre-training, elsewhere a guide.",
        ]
        return "\n".join(lines)

    def _name(self, floor: FloorOutlook) -> str:
        marks = (("asked for", self.asked), ("golden", self.golden))
        named = ", ".join(name for name, marked in marks if floor is marked)
        return f"{floor.human_share:.1%} human" + (f" ({named})" if named else "")

    def _floors(self) -> list[FloorOutlook]:
        named = [floor for floor in (self.asked, self.golden) if floor is not None]
        taken = {floor.human_share for floor in named}
        return [*named, *(floor for floor in self.compared if floor.human_share not in taken)]

    def _which(self) -> str:
        if self.least_share > self.largest_share:
            most = self.max_repeats * (self.human + self.synthetic)
            return (
                f"No floor lasts: all rows {self.max_repeats} times are {_amount(most)} tokens. "
                "Train on fewer tokens, find more rows, or raise max_repeats."
            )
        return (
            f"Floors from {self.least_share:.1%} to {self.largest_share:.1%} can be held to the "
            "end."
        )


def outlook_of(
    human: Any,
    synthetic: Any,
    tokens: Any,
    *,
    human_fraction: Any = None,
    max_repeats: Any = 4,
    tokens_per_row: Any = None,
) -> MixOutlook:
    """What `MixGuard.plan` answers; it has the arguments.

    Raises:
        ArgumentError: One of them is out of range.
    """
    hint = "give the number of tokens, or of rows beside tokens_per_row"
    human = float(number("human", human, least=1, most=_MOST, hint=hint))
    synthetic = float(number("synthetic", synthetic, least=0, most=_MOST, hint=hint))
    hint = "give the number of tokens, of all epochs together"
    tokens = float(number("tokens", tokens, least=1, most=_MOST, hint=hint))
    max_repeats = whole_number("max_repeats", max_repeats, least=1, hint="give e.g. 4")
    if tokens_per_row is not None:
        hint = "give the mean length of a row, or None where tokens are given"
        length = number("tokens_per_row", tokens_per_row, least=1, most=_MOST, hint=hint)
        human, synthetic = human * length, synthetic * length

    def outlook(human_fraction: Any) -> FloorOutlook:
        return outlook_on(
            human_stages(human_fraction),
            human=human,
            synthetic=synthetic,
            tokens=tokens,
            max_repeats=max_repeats,
        )

    is_golden = isinstance(human_fraction, str) and human_fraction == "golden"
    if is_golden and not synthetic:
        raise bad_argument(
            "human_fraction",
            expected="a share",
            given=human_fraction,
            hint="the golden weight is one between human and synthetic rows, and there are none",
        )
    golden = outlook(golden_fraction(human, synthetic)) if synthetic else None
    asked = None if human_fraction is None or is_golden else outlook(human_fraction)
    return MixOutlook(
        human=human,
        synthetic=synthetic,
        tokens=tokens,
        max_repeats=max_repeats,
        asked=golden if is_golden else asked,
        golden=golden,
        compared=tuple(outlook(each) for each in _COMPARED),
        least_share=max(0.0, 1 - synthetic * max_repeats / tokens),
        largest_share=min(1.0, human * max_repeats / tokens),
    )


def _amount(tokens: float) -> str:
    return f"{tokens:,.0f}"
