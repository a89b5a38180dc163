"""How much text there is of a kind, and how much of it is not new."""

from dataclasses import dataclass

import numpy as np

from collapse_guard.audit.comparison.content_sample import ContentSample
from collapse_guard.audit.report import AuditReport


@dataclass(frozen=True)
class TextSize:
    """How much there is of one kind of text.

    Attributes:
        texts: Texts that were gone through.
        characters: Of all of them.
        empty: Texts that hold nothing but spaces.
        sampled: Share of the contents that was compared, above 0; 1 for all of it.
        words: In these.
    """

    texts: int
    characters: int
    empty: int
    sampled: float
    words: int

    @classmethod
    def of(cls, sample: ContentSample, words: int) -> "TextSize":
        """Of what a sample was drawn from."""
        return cls(sample.rows, sample.characters_seen, sample.empty, sample.share, words)


@dataclass(frozen=True)
class Copies:
    """Texts that are not new, as shares of all texts of their kind.

    Where not all contents were compared, identical copies are estimated from the sample, and of
    near copies only those of which both are in it are counted.

    Attributes:
        human_repeated: Human texts that repeat an earlier one, identically or nearly so.
        repeated: Synthetic texts that do.
        shared: Synthetic texts that stand in the human text, identically or nearly so, or as a part
            of a longer one.
        rows: Numbers of such synthetic texts, upwards; of each at most 64 copies.
    """

    human_repeated: float
    repeated: float
    shared: float
    rows: tuple[int, ...]

    @classmethod
    def of(cls, human: ContentSample, synthetic: ContentSample, report: AuditReport) -> "Copies":
        """Counted with copies, of what was found among contents."""
        kept = list(synthetic.contents())
        bad = report.bad_rows("synthetic").tolist()
        copies = np.array([one.copies for one in kept])
        # Of contents that human text is not sampled for nobody can say that they are not in it.
        limit = min(human.limit, synthetic.limit)
        known = sum(one.copies for one in synthetic.contents(limit=limit))
        shared = int(copies[bad].sum()) / max(known, 1)
        rows = sorted(row for place in bad for row in kept[place].rows)
        return cls(
            _repeated(human, report, "human"),
            _repeated(synthetic, report, "synthetic"),
            min(shared, 1.0),
            tuple(rows),
        )


def _repeated(sample: ContentSample, report: AuditReport, name: str) -> float:
    """Share of rows that are left out where each content, or family of near ones, comes once."""
    copies = [one.copies for one in sample.contents()]
    again = set(report.repeated_rows(name).tolist())
    once = len(copies) - len(again)
    return 1 - once / max(sum(copies), 1)
