"""Teacher-forced readings of log-probabilities that were computed elsewhere."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from collapse_guard.arguments import as_array, checked, listed, optional, understood
from collapse_guard.errors import PanelError, bad_argument
from collapse_guard.human_text.panel import A_REFERENCE
from collapse_guard.human_text.reference import HumanReference
from collapse_guard.model.inputs import IGNORED_LABEL
from collapse_guard.readings.given_logprobs import read_logprobs
from collapse_guard.readings.panel_sums import BandDocuments
from collapse_guard.readings.teacher_forced import (
    head_gain,
    mean_head_logprob,
    mean_tail_logprob,
    mean_tail_prob,
    tail_gain,
    tail_gap,
)
from collapse_guard.statistics.estimates import Estimate, exponential, ratio

Floats = npt.NDArray[np.float64]
Numbers = Sequence[Any] | npt.NDArray[np.floating[Any]]
Ids = Sequence[int] | npt.NDArray[np.integer[Any]]


def _documents(name: str, given: Any) -> list[Any]:
    wanted = {
        "expected": "a list with a document at a time",
        "hint": "tokenize text, and give a number for each token",
    }
    with understood(name, given, **wanted):
        is_list = not isinstance(given, str | bytes | Mapping) and len(given) > 0
        found: list[Any] = listed(name, given, **wanted) if is_list else []
        each = [as_array(name, document, **wanted) for document in found]
    for document, array in zip(found, each, strict=True):
        if array.ndim != 1:
            raise bad_argument(name, given=document, **wanted)
    return found


@checked(
    reference=A_REFERENCE,
    logprobs=_documents,
    token_ids=_documents,
    start_logprobs=optional(_documents),
)
def logprob_readings(
    logprobs: Sequence[Numbers],
    token_ids: Sequence[Ids],
    reference: HumanReference,
    *,
    start_logprobs: Sequence[Numbers] | None = None,
) -> dict[str, Estimate]:
    """Readings of human text of which only the tokens and their log-probabilities are at hand.

    The same figures as a look at a `HeldOutPanel` gives on the same positions, as far as they can
    be had without whole distributions.

    Args:
        logprobs: For each document, the log-probability of each of its tokens, natural logarithms,
            at most 0. What stands at an ignored token is not looked at. The `prompt_logprobs` of
            vLLM are taken as they are: what several tokens would get at each position, by their
            ids, and None at the first one; a token with None is not scored.
        token_ids: For each document, its tokens, as many; -100 marks tokens that are not scored,
            such as padding, or the first one, which has no context. Those that stand for no human
            text (`HumanReference.special_ids`) are not scored either.
        reference: The human reference; its tokenizer must have made the ids.
        start_logprobs: What the starting model gave on the same tokens.

    Returns:
        `perplexity`, `tail_logprob`, `head_logprob` and `tail_prob`; with `start_logprobs` also
        `tail_retention`, `head_retention` and `tail_gap`. Errors are over documents.

    Raises:
        ArgumentError: No documents, other numbers of log-probabilities than tokens, something
            else in their place, or a log-probability that is above 0, NaN or infinite.
        TokenizerMismatchError: Token ids that the reference does not have.
        PanelError: No tail token, or no head token, is scored.

    Example:
        >>> reference = HumanReference.from_token_ids([[0] * 6 + [1] * 3 + [2]], vocab_size=3)
        >>> readings = logprob_readings([[-1.0, -4.0], [-2.0, -6.0]], [[0, 2], [1, 2]], reference)
        >>> readings["tail_logprob"][:2], readings["head_logprob"].value
        ((-5.0, 1.0), -1.0)
    """
    if len(token_ids) == 0:
        raise bad_argument(
            "token_ids", expected="at least one document", given=0, hint="give held-out text"
        )
    ids, lengths = _join(token_ids)
    labelled = ids != IGNORED_LABEL
    reference.check_ids(ids[labelled])
    scored = labelled & ~reference.special_types[np.where(labelled, ids, 0)]
    values, given = _aligned("logprobs", logprobs, ids, lengths)
    scored &= given
    at_start = None
    if start_logprobs is not None:
        at_start, given = _aligned("start_logprobs", start_logprobs, ids, lengths)
        scored &= given
        at_start = _scored("start_logprobs", at_start, lengths, scored)
    values = _scored("logprobs", values, lengths, scored)
    documents = np.repeat(np.arange(len(lengths)), lengths)[scored]
    in_tail, in_head = reference.tail_types[ids[scored]], reference.head_types[ids[scored]]
    for band, members in (("tail", in_tail), ("head", in_head)):
        if not members.any():
            raise PanelError(
                f"none of the {int(scored.sum())} scored tokens is a {band} type of the human "
                f"reference: give more held-out text, or the reference of this text's language "
                f"and tokenizer."
            )

    def by_document(weights: Floats) -> Floats:
        return np.bincount(documents, weights, len(lengths)).astype(np.float64)

    def banded(logprobs: Floats) -> BandDocuments:
        return BandDocuments(
            tail_logprob=by_document(logprobs * in_tail),
            tail_prob=by_document(np.exp(logprobs) * in_tail),
            head_logprob=by_document(logprobs * in_head),
            tail=by_document(in_tail.astype(np.float64)),
            head=by_document(in_head.astype(np.float64)),
            weights=np.ones(len(lengths)),
        )

    now = banded(values)
    readings = {
        "perplexity": exponential(ratio(-by_document(values), by_document(np.ones_like(values)))),
        "tail_logprob": mean_tail_logprob(now),
        "head_logprob": mean_head_logprob(now),
        "tail_prob": mean_tail_prob(now),
    }
    if at_start is not None:
        moved = banded(values - at_start)
        readings |= {
            "tail_retention": exponential(tail_gain(moved)),
            "head_retention": exponential(head_gain(moved)),
            "tail_gap": tail_gap(moved),
        }
    return readings


def _join(documents: Sequence[Any]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    arrays = [np.asarray(document).reshape(-1) for document in documents]
    lengths = np.array([len(array) for array in arrays], dtype=np.int64)
    # An empty list becomes an array of floats, which would make floats of all.
    filled = [array for array in arrays if len(array)]
    wrong = next((array for array in filled if array.dtype.kind not in "iu"), None)
    if wrong is not None:
        raise bad_argument(
            "token_ids",
            expected="whole-number token ids",
            given=wrong.tolist()[0],
            hint="tokenize text first, and give log-probabilities and token ids in their own "
            "places",
        )
    joined = np.concatenate([np.zeros(0, dtype=np.int64), *filled])
    return joined.astype(np.int64), lengths


def _aligned(
    argument: str, documents: Sequence[Any], ids: npt.NDArray[np.int64], lengths: Any
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """The log-probabilities of all tokens, end to end, and where there are any."""
    if len(documents) != len(lengths):
        raise bad_argument(
            argument,
            expected=f"one document for each of the {len(lengths)} in `token_ids`",
            given=f"{len(documents)} documents",
            hint="give both of the same documents, in the same order",
        )
    parts = np.split(ids, np.cumsum(lengths)[:-1])
    read = [
        read_logprobs(argument, number, document, part)
        for number, (document, part) in enumerate(zip(documents, parts, strict=True))
    ]
    values, given = zip(*read, strict=True)
    return np.concatenate(values), np.concatenate(given)


def _scored(argument: str, values: Floats, lengths: Any, scored: npt.NDArray[np.bool_]) -> Floats:
    """Those of the scored tokens, all of which can be log-probabilities."""
    kept = values[scored]
    wrong_values = ~(np.isfinite(kept) & (kept <= 0))
    if wrong_values.any():
        place = int(np.flatnonzero(scored)[wrong_values.argmax()])
        document = int(np.searchsorted(np.cumsum(lengths), place, side="right"))
        position = place - int(lengths[:document].sum())
        raise bad_argument(
            argument,
            expected="finite log-probabilities of at most 0",
            given=float(values[place]),
            hint=f"look at document {document}, position {position}; logits become "
            f"log-probabilities by log_softmax",
        )
    return kept
