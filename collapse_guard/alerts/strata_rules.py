"""Rules for many readings at once, whose false alarms are held to one probability together."""

from collections.abc import Iterable

from collapse_guard.alerts.rules import Severity, Threshold
from collapse_guard.arguments import a, members
from collapse_guard.errors import bad_argument
from collapse_guard.readings.kind import ReadingKind
from collapse_guard.statistics.confidence_sequence import check_alpha

_HINT = "give what strata_readings(panel, labels) returned"


def strata_rules(
    kinds: Iterable[ReadingKind],
    *,
    below: float = 0.85,
    alpha: float = 0.01,
    severity: Severity = "warn",
) -> tuple[Threshold, ...]:
    """A rule for each stratum; all together raise a false alarm with at most one probability.

    Each of k rules has `alpha` / k (Bonferroni): that holds however strata depend on each other,
    and loses next to nothing where they share no documents, as then they are independent. Up to 16
    strata at an `alpha` of 0.01 each rule has the boundary of one panel seen again and again; with
    more it falls back to the wider union bound over looks
    (`collapse_guard.statistics.supremum_boundary`). So name few strata, with at least 30
    independent documents each.

    Args:
        kinds: Of the readings: those of `collapse_guard.readings.strata.strata_readings`, for more
            than one set of labels maybe.
        below: The limit of each.
        alpha: Probability that any of the rules raises a false alarm over the whole run, in (0, 1).
        severity: As in `Threshold`.

    Raises:
        ArgumentError: No readings, or an argument that `Threshold` refuses.

    Example:
        >>> from collapse_guard.readings.contextual_tail import contextual_reading
        >>> (rule,) = strata_rules([contextual_reading()], below=0.9)
        >>> str(rule), rule.alpha
        ('contextual_tail_retention below 0.9', 0.01)
    """
    check_alpha(alpha)
    is_one = a(ReadingKind, expected="a ReadingKind", hint=_HINT)
    found = members("kinds", kinds, expected="readings", hint=_HINT)
    each = [is_one("kinds", kind) for kind in found]
    if not each:
        raise bad_argument(
            "kinds",
            expected="at least one reading",
            given=each,
            hint="give what strata_readings(panel, labels) returned",
        )
    return tuple(
        Threshold(kind.name, below=below, alpha=alpha / len(each), severity=severity)
        for kind in each
    )
