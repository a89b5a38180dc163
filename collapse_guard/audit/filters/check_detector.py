"""A suite through which a detector of one's own can be put: what `TextDetector` promises."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from collapse_guard.arguments import many, text as a_text
from collapse_guard.audit.filters.detector import TextDetector
from collapse_guard.errors import ConformityError, bad_argument, shown
from collapse_guard.random_states import random_states, random_states_kept

BATCH_TOLERANCE = 1e-3
"""Difference that standing in another batch may make: padding changes the last digits of a model's
output, and those of half precision come early."""

_TEXTS = (
    "The committee met on Tuesday, and nobody could say afterwards what it had decided.",
    "In conclusion, it is important to note that there are many factors to consider.",
    "rain rain rain rain rain rain rain rain rain rain rain rain rain rain rain rain",
    "Me no went market yesterday because of the rain was too much heavy.",
    "Yes.",
)
_ODD_TEXTS = ("", " \n\t", "a", "!?", "東京は今日も雨です。", "🙂" * 50, "word " * 3000, "\x00")


def check_detector(detector: TextDetector, texts: Sequence[str] = _TEXTS) -> None:
    """Hold a detector to what `TextDetector` promises.

    It returns a float array with one finite number from 0 to 1 for each text, of no texts too; the
    same ones when asked twice, and (to 0.001) whatever stands beside a text in its batch; it takes
    odd texts (empty, one letter, other scripts, 3,000 words); it changes neither the texts nor a
    global random state (of Python, numpy, or torch on the CPU).

    Whether its probabilities are right is another matter: that takes texts of which you know who
    wrote them, and `quality_weights` to see whom it hits.

    Args:
        detector: What to look at.
        texts: Ordinary texts to look at it with, two at least.

    Raises:
        ConformityError: Naming each thing that the detector fails at.

    Example:
        >>> check_detector(lambda texts: np.array([len(text) / 1e6 for text in texts]))
        >>> check_detector(lambda texts: [0.5 for text in texts])
        Traceback (most recent call last):
        ...
        collapse_guard.errors.ConformityError: detector `<lambda>` fails at 1 of 6 checks:
        - returns a probability for each text: it returned a list
    """
    hint = "leave it out"
    many(a_text(hint=hint), expected="some texts", hint=hint)("texts", texts)
    if not len(texts):
        raise bad_argument("texts", expected="some texts", given=texts, hint=hint)
    with random_states_kept():
        given = list(texts)
        before = random_states()
        scores, fault = _scores(detector, given)
        checks = {
            "returns a probability for each text": fault,
            "touches no global random state": (
                None if random_states() == before else "it drew from one, or set it"
            ),
            "leaves its texts alone": None if given == list(texts) else "it changed them",
        }
        # A detector that gives no scores at all fails at one thing and not at four.
        later = ("takes odd texts", "deterministic", "looks at each text by itself")
        checks.update(dict.fromkeys(later))
        if fault is None:
            checks["takes odd texts"] = _fault_on_odd_texts(detector)
            again, _ = _scores(detector, list(texts))
            if not np.array_equal(scores, again):
                checks["deterministic"] = f"it returned {scores}, then {again}"
            else:
                checks["looks at each text by itself"] = _fault_of_batch(detector, texts, scores)
    faults = {check: fault for check, fault in checks.items() if fault is not None}
    if faults:
        name = str(getattr(detector, "__qualname__", None) or shown(detector))
        raise ConformityError(name, faults, num_checks=len(checks), what="detector")


def _scores(detector: TextDetector, texts: list[str]) -> tuple[Any, str | None]:
    try:
        scores = detector(texts)
    except Exception as error:
        return None, f"it raised {type(error).__name__}: {error}"
    if not isinstance(scores, np.ndarray):
        return None, f"it returned a {type(scores).__name__}"
    if scores.shape != (len(texts),) or not np.issubdtype(scores.dtype, np.floating):
        return None, f"it returned {scores.dtype} of shape {scores.shape} for {len(texts)} texts"
    if not ((scores >= 0) & (scores <= 1)).all():
        return None, f"it returned {shown(scores)}"
    return scores, None


def _fault_on_odd_texts(detector: TextDetector) -> str | None:
    for texts in ([], *([text] for text in _ODD_TEXTS), list(_ODD_TEXTS)):
        _, fault = _scores(detector, list(texts))
        if fault is not None:
            return f"{texts!r:.40}: {fault}"
    return None


def _fault_of_batch(detector: TextDetector, texts: Sequence[str], scores: Any) -> str | None:
    alone = [_scores(detector, [text])[0] for text in texts]
    reversed_scores, _ = _scores(detector, list(texts)[::-1])
    for what, others in (("alone", alone), ("in another order", reversed_scores)):
        if others is None or any(score is None for score in others):
            return f"it failed on texts {what}"
        found = np.concatenate(others) if what == "alone" else others[::-1]
        if np.abs(found - scores).max() > BATCH_TOLERANCE:
            return f"it returned {scores} together, and {found} {what}"
    return None
