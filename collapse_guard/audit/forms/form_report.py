"""How the forms of synthetic rows differ from those of human ones, as a table and a sentence."""

from dataclasses import dataclass

from collapse_guard.audit.forms.effects import Effect
from collapse_guard.audit.forms.letters import LetterDistance

_SHOWN = 20


@dataclass(frozen=True)
class FormDifference:
    """One form, and how the kinds differ in it.

    Attributes:
        form: What a row does ("starts with token 1"), or a measure of it ("length in tokens").
        is_share: Whether the next two are shares of rows, 0 to 1; means of the measure if not
            (geometric ones of lengths and lines, which are compared on a log scale).
        synthetic: Of the synthetic rows.
        human: Of the human rows.
        num_synthetic: How many synthetic rows were looked at.
        num_human: How many human rows.
        effect: Cohen's h of shares and d of means, above 0 where the synthetic rows have more, with
            an interval.
    """

    form: str
    is_share: bool
    synthetic: float
    human: float
    num_synthetic: int
    num_human: int
    effect: Effect

    def sentence(self, source: str) -> str:
        """What it means, with size, interval and numbers of rows."""
        if not self.is_share:
            said = (
                f"{self.form} is {self.synthetic:,.3g} on average in {source} and "
                f"{self.human:,.3g} in human rows"
            )
        elif (self.synthetic, self.human) == (1, 0):
            said = f"every row of {source} {self.form}, no human row does"
        elif (self.synthetic, self.human) == (0, 1):
            said = f"every human row {self.form}, no row of {source} does"
        else:
            said = (
                f"{self.synthetic:.1%} of the rows of {source} and {self.human:.1%} of the human "
                f"ones: {self.form}"
            )
        return f"{said} ({self._size()}; {self.num_synthetic:,} and {self.num_human:,} rows)"

    def _size(self) -> str:
        size, low, high = self.effect
        return f"{'h' if self.is_share else 'd'} = {size:.2f}, interval {low:.2f} to {high:.2f}"


@dataclass(frozen=True)
class FormReport:
    """How the forms of a synthetic source differ from those of all human rows. `print` it.

    Attributes:
        source: Name of the synthetic source.
        differences: One for each form: first those that all rows of one kind have and none of the
            other, then by the least size that lies within the interval, then by the size itself.
            The intervals hold with 95% for all forms together.
        letters: How far the letters are apart, which languages are told by; None where rows are no
            texts or too few.
    """

    source: str
    differences: tuple[FormDifference, ...]
    letters: LetterDistance | None

    @property
    def sentence(self) -> str:
        """What tells the rows from human ones most surely, and what that means."""
        first = self.differences[0] if self.differences else None
        if first is None or first.effect.sure == 0:
            return (
                f"{self.source}: of {len(self.differences)} forms none surely tells its rows from "
                "human ones"
            )
        said = first.sentence(self.source)
        return f"{self.source}: {said}: a model can learn the kind from the form"

    def __str__(self) -> str:
        rows = [
            f"{each.synthetic:>9.3g} {each.human:>9.3g} {each.effect.size:>7.2f} "
            f"{each.effect.low:>7.2f} {each.effect.high:>7.2f}  "
            f"{'h' if each.is_share else 'd'}  {each.form}"
            for each in self.differences[:_SHOWN]
        ]
        head = f"{'synthetic':>9} {'human':>9} {'size':>7} {'low':>7} {'high':>7}"
        lines = [self.sentence, f"{head}     form", *rows]
        if len(self.differences) > _SHOWN:
            lines.append(f"and {len(self.differences) - _SHOWN} more forms that differ less surely")
        if self.letters is not None:
            lines.append(
                "letters in runs of three: {:.3f} of them differ (95% interval {:.3f} to {:.3f}), "
                "and {:.3f} between two halves of the human rows".format(*self.letters)
            )
        return "\n".join(lines)
