"""Which samplers are tried."""

from collections.abc import Sequence

from collapse_guard.arguments import listed
from collapse_guard.errors import bad_argument
from collapse_guard.model.decoding import PLAIN, Decoding, check_matchable

USUAL = (
    PLAIN,
    Decoding(temperature=0.8),
    Decoding(temperature=0.7),
    Decoding(temperature=0.9),
    Decoding(temperature=0.6),
    Decoding(temperature=0.8, top_p=0.95),
    Decoding(top_p=0.9),
    Decoding(top_k=50),
    Decoding(temperature=0.7, top_p=0.9),
    Decoding(top_p=0.95),
    Decoding(temperature=0.8, top_k=50),
    Decoding(temperature=0.5),
    Decoding(temperature=1.1),
    Decoding(min_p=0.05),
    Decoding(temperature=0.7, top_p=0.95),
    Decoding(temperature=0.8, top_p=0.9),
    Decoding(top_k=100),
    Decoding(top_k=20),
    Decoding(top_p=0.8),
    Decoding(min_p=0.1),
)
"""What generators are set to, the likelier first: where time is short, the last are left out."""


def checked_candidates(given: Sequence[Decoding] | None) -> list[Decoding]:
    """The samplers to try, each once and plain text first.

    Args:
        given: In order of importance; None for the usual ones.

    Raises:
        ArgumentError: None at all, something else than decodings, or one that is greedy.

    Example:
        >>> [str(each) for each in checked_candidates([Decoding(0.8), Decoding(top_p=1.0)])]
        ['T 1', 'T 0.8']
    """
    tried = USUAL if given is None else given
    wanted = {"expected": "decodings", "hint": "give [Decoding(temperature=0.9)], for example"}
    decodings = listed("candidates", tried, **wanted)
    if not decodings or not all(isinstance(each, Decoding) for each in decodings):
        raise bad_argument(
            "candidates",
            expected="at least one Decoding, or None for the usual ones",
            given=given,
            hint="give [Decoding(temperature=0.9), Decoding(temperature=0.8), ...]",
        )
    for number, each in enumerate(decodings):
        check_matchable(each, f"candidates[{number}]")
    return list(dict.fromkeys([PLAIN, *(each for each in decodings if not each.is_plain)]))


def is_temperature(decoding: Decoding) -> bool:
    """Whether a sampler does nothing but divide by a temperature."""
    return not decoding.cuts
