"""What was found by comparing synthetic texts with human ones."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from collapse_guard.audit.comparison.coverage import Coverage
from collapse_guard.audit.comparison.human_share import HumanShare
from collapse_guard.audit.comparison.telling_runs import TellingRuns
from collapse_guard.audit.comparison.text_audit_lines import (
    copies_line,
    coverage_line,
    ratio,
    runs_lines,
    share_line,
    size_line,
)
from collapse_guard.audit.comparison.text_sizes import Copies, TextSize
from collapse_guard.audit.forms import FormReport
from collapse_guard.statistics.json_values import without_nan

MOST_SHARED = 0.01
MOST_REPEATED = 0.05
MOST_EMPTY = 0.01


@dataclass(frozen=True, eq=False)
class TextAudit:
    """What `audit_texts` found. `print` it, or see `is_fit`.

    Attributes:
        human: How much human text there is.
        synthetic: How much synthetic text.
        coverage: Rare words, rare phrases of two and of three words, and rare tokens where there
            was a tokenizer.
        runs: Words and phrases that have vanished, and those that come too often.
        share: The human share that would bring rare words to where they should be.
        copies: Texts that are not new.
        forms: By which forms the kinds can be told apart.
    """

    human: TextSize
    synthetic: TextSize
    coverage: tuple[Coverage, ...]
    runs: TellingRuns
    share: HumanShare
    copies: Copies
    forms: tuple[FormReport, ...]

    @property
    def is_sampled(self) -> bool:
        """Whether there was more text of a kind than was compared."""
        return min(self.human.sampled, self.synthetic.sampled) < 1

    @property
    def findings(self) -> tuple[str, ...]:
        """What speaks against training on the synthetic text alone, a sentence each."""
        return tuple(self._findings())

    @property
    def is_fit(self) -> bool:
        """Whether nothing was found that speaks against it."""
        return not self.findings

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain nested dicts and lists, for JSON."""
        found = {**asdict(self), "findings": self.findings, "is_fit": self.is_fit}
        plain: dict[str, Any] = without_nan(found)
        return plain

    def __str__(self) -> str:
        lines = [
            size_line("human", self.human),
            size_line("synthetic", self.synthetic),
            *map(coverage_line, self.coverage),
            *runs_lines(self.runs),
            copies_line(self.copies, is_sampled=self.is_sampled),
            *(forms.sentence for forms in self.forms),
            share_line(self.share),
            *(f"against it: {finding}" for finding in self.findings),
        ]
        return "\n".join(lines if self.findings else [*lines, "nothing speaks against it"])

    def _findings(self) -> Iterator[str]:
        words, target = self.coverage[0], self.share.target
        for found, what in (
            (words.frequency, "rare words come {} times as often as in human text"),
            (words.covered, "rare words are there {} times as many as in as much human text"),
        ):
            if found.high < target:
                yield f"{what.format(ratio(found))}, where {target:g} is asked for"
        for share, most, what in (
            (self.copies.shared, MOST_SHARED, "stand in the human text"),
            (self.copies.repeated, MOST_REPEATED, "repeat others"),
            (self.synthetic.empty / self.synthetic.texts, MOST_EMPTY, "are empty"),
        ):
            if share > most:
                yield f"{share:.1%} of the synthetic texts {what}, where {most:.0%} is let pass"
