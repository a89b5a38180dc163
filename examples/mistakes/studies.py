"""Every study, by the name that the command line takes."""

from collapse_guard.examples.mistakes import shown_entropy, shown_poison, shown_sums
from collapse_guard.examples.mistakes.study import Study

STUDIES: dict[str, Study] = {
    "sums": shown_sums.STUDY,
    "entropy": shown_entropy.STUDY,
    "poison": shown_poison.STUDY,
}
"""Every study; one of yours is a line more."""
