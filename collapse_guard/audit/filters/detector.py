"""Detectors of machine-written text, as collapse_guard calls them."""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from collapse_guard.arguments import checked, function, understood, whole
from collapse_guard.errors import ScoringError, bad_argument, shown
from collapse_guard.human_text.token_rows import TokenRows
from collapse_guard.rows.column import Column
from collapse_guard.rows.row_source import Rows, RowSource


@runtime_checkable
class TextDetector(Protocol):
    """Anything that says how likely texts are to be machine-written.

    Any function will do. `check_detector` holds one to what is written here. No detector is proof:
    each has texts by people that it takes for a machine's, and often the same people's. So scores
    become soft weights (`quality_weights`), never a verdict, and each use reports whom it hits.
    """

    def __call__(self, texts: Sequence[str], /) -> npt.NDArray[np.float64]:
        """Score a batch of texts.

        Args:
            texts: Any number, also none. They may be empty or in any language.

        Returns:
            float64 of shape (texts,): for each text by itself, whatever stands beside it, the
            probability from 0 to 1 that a machine wrote it.
        """


_DETECTOR = "see collapse_guard.audit.check_detector"


@checked(
    detector=function(expected="a TextDetector, which is a function of texts", hint=_DETECTOR),
    batch_size=whole(least=1, hint="32 is the default"),
)
def detector_scores(
    detector: TextDetector,
    rows: Rows,
    *,
    column: str | None = None,
    tokenizer: Any = None,
    batch_size: int = 32,
) -> npt.NDArray[np.float64]:
    """Score every row of a source.

    Args:
        detector: Says how likely texts are to be machine-written.
        rows: Texts, or token ids with their tokenizer.
        column: Its name; None for "input_ids" or, where there is none, "text".
        tokenizer: Turns token ids back into text (`decode`), where rows are token ids.
        batch_size: Texts given to the detector at once, at least 1.

    Returns:
        float64 of shape (rows,), from 0 to 1.

    Raises:
        ArgumentError: No such column, token ids without a tokenizer, or a batch size below 1.
        ScoringError: The detector returned something else than a probability for each text.

    Example:
        >>> def as_an_ai(texts):
        ...     return np.array([float("as an ai" in text.lower()) for text in texts])
        >>> detector_scores(as_an_ai, ["As an AI, I ...", "Call me Ishmael."])
        array([1., 0.])
    """
    own = Column(RowSource("rows", rows), column)
    if not own.is_text and tokenizer is None:
        raise bad_argument(
            "tokenizer",
            expected="the tokenizer that made the token ids",
            given=None,
            hint="give it, or name a column of texts",
        )
    scores = np.zeros(len(own))
    for start in range(0, len(own), batch_size):
        part = range(start, min(start + batch_size, len(own)))
        contents = own.read(part)
        if isinstance(contents, TokenRows):
            contents = _decoded(tokenizer, contents)
        scores[part.start : part.stop] = _asked(detector, contents)
    return scores


def _decoded(tokenizer: Any, contents: TokenRows) -> list[str]:
    hint = "give that of transformers, which has decode(ids)"
    with understood("tokenizer", tokenizer, expected="a tokenizer that decodes", hint=hint):
        return [
            tokenizer.decode(ids.tolist(), skip_special_tokens=True) for ids in contents.split()
        ]


def _asked(detector: TextDetector, texts: list[str]) -> npt.NDArray[np.float64]:
    wanted = "a function that gives a probability for each text"
    with understood("detector", detector, expected=wanted, hint=_DETECTOR):
        return checked_scores(detector(texts), len(texts))


def checked_scores(scores: Any, num_texts: int) -> npt.NDArray[np.float64]:
    """What a detector returned, if it is a probability for each text.

    Raises:
        ScoringError: It is not.
    """
    array = np.asarray(scores)
    fits = array.shape == (num_texts,) and array.dtype.kind in "fiub"
    # Comparing this way round, NaN does not pass.
    if not fits or not ((array >= 0) & (array <= 1)).all():
        raise ScoringError(
            f"the detector returned {shown(scores)} for {num_texts} texts: it has to return a "
            f"probability from 0 to 1 for each of them; check_detector says what is wrong."
        )
    return array.astype(np.float64)
