"""What was published or follows in closed form, held against what this code gets."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from collapse_guard.statistics.student import student_half_width

Relation = Literal["equals", "below", "above"]
Verdict = Literal["reproduced", "trend only", "not told apart", "not reproduced"]

ALPHA = 0.01
"""Probability that chance alone makes any row of the whole table "not reproduced"."""


@dataclass(frozen=True)
class Finding:
    """One row of the table.

    Attributes:
        world: Where it was measured.
        claim: What is claimed, in a few words.
        source: The paper, or the closed form.
        expected: The value that is claimed, or the bound.
        measured: The mean over replicates.
        standard_error: Of that; 0.0 for what is counted and not estimated.
        replicates: Independent ones.
        relation: "equals" where a value is claimed; "below" or "above" where a direction or a
            bound is, and no value.
        expected_error: The standard error of the claimed value itself, where it is a mean over
            runs too.
    """

    world: str
    claim: str
    source: str
    expected: float
    measured: float
    standard_error: float
    replicates: int
    relation: Relation = "equals"
    expected_error: float = 0.0

    def half_width(self, rows: int) -> float:
        """Half of the interval, at a level that holds for a table of so many rows together."""
        error = float((self.standard_error**2 + self.expected_error**2) ** 0.5)
        return student_half_width(error, self.replicates, probability=1 - ALPHA / (2 * rows))

    def verdict(self, rows: int) -> Verdict:
        """Whether the claim lies within the interval; for a bound, the interval within it.

        A bound or a direction that holds is "trend only", as it is weaker than a value, and "not
        told apart" where the interval lies across it.
        """
        apart, reach = self.measured - self.expected, self.half_width(rows)
        if self.relation == "equals":
            # Rounding, where nothing is left to chance.
            return "reproduced" if abs(apart) <= max(reach, 1e-9) else "not reproduced"
        side = -1.0 if self.relation == "below" else 1.0
        if abs(apart) <= reach:
            return "not told apart"
        return "trend only" if side * apart > 0 else "not reproduced"


def table(findings: Sequence[Finding]) -> str:
    """The findings as a table in Markdown, with a line that says what intervals mean."""
    lines = [
        "| world | claim | source | claimed | measured | verdict |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    signs = {"equals": "", "below": "below ", "above": "above "}
    for each in findings:
        lines.append(
            f"| {each.world} | {each.claim} | {each.source} "
            f"| {signs[each.relation]}{each.expected:.4g} "
            f"| {each.measured:.4g} ± {each.half_width(len(findings)):.2g} "
            f"| {each.verdict(len(findings))} |"
        )
    return "\n".join(lines) + "\n"
