"""Positions that end an n-gram which is rare in human text."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import torch

from collapse_guard.arguments import checked, whole
from collapse_guard.errors import PanelError
from collapse_guard.human_text.documents import Document, document_blocks
from collapse_guard.human_text.panel import A_PANEL, HeldOutPanel
from collapse_guard.readings.at_positions import Floats, mean_logprob
from collapse_guard.readings.evidence import Evidence
from collapse_guard.readings.kind import ReadingKind
from collapse_guard.statistics.estimates import Estimate

Integers = npt.NDArray[np.int64]


def rare_ngram_logprob(
    logprobs: Floats,
    panel: HeldOutPanel,
    documents: Iterable[Document],
    *,
    n: int,
    max_count: int = 1,
) -> Estimate:
    """Mean log-probability of the tokens that end a rare n-gram, with its standard error.

    Args:
        logprobs: float64 of shape (positions,), natural logarithms: what `panel_logprobs` gives,
            or `PanelScores.position_logprobs`.
        panel: The held-out text that they were taken on.
        documents: As in `rare_ngram_positions`, which is the slow part: call that once and
            `mean_logprob` at each step to follow a run.
        n: As in `rare_ngram_positions`.
        max_count: As in `rare_ngram_positions`.

    Returns:
        The mean over positions in nats, clustered by document.

    Raises:
        ArgumentError: As in `rare_ngram_positions`, or another number of log-probabilities.
        TokenizerMismatchError: As in `rare_ngram_positions`.
        PanelError: As in `rare_ngram_positions`.
    """
    rare = rare_ngram_positions(panel, documents, n=n, max_count=max_count)
    return mean_logprob(logprobs, panel, rare)


@checked(
    panel=A_PANEL,
    n=whole(least=1, hint="2 or 3 is usual"),
    max_count=whole(least=0, hint="1 is the default"),
)
def rare_ngram_positions(
    panel: HeldOutPanel, documents: Iterable[Document], *, n: int, max_count: int = 1
) -> torch.Tensor:
    """Held-out positions that end an n-gram which human text holds rarely or never.

    N-grams do not run from one document into the next, and one of the panel counts where all of
    its tokens are positions that are looked at: none runs over a window's edge or into a prefix.

    Args:
        panel: The held-out text.
        documents: The human text that n-grams are counted in, a document of token ids at a time:
            what the reference was counted in, say. The panel's own documents may be among them,
            and then count with the rest.
        n: Length of the n-grams in tokens, at least 1.
        max_count: An n-gram that occurs at most so often is rare, at least 0. Those that do not
            occur at all are rare too, as unseen types are tail types.

    Returns:
        bool of shape (windows, tokens), within `panel.positions`.

    Raises:
        ArgumentError: An argument out of range, or documents that are not token ids.
        TokenizerMismatchError: Token ids past the vocabulary of the panel's reference.
        PanelError: No position of the panel ends a rare n-gram.
    """
    rare = torch.zeros_like(panel.positions)
    if n <= rare.shape[1]:
        whole = panel.positions.unfold(1, n, 1).all(-1)
        ngrams = panel.input_ids.unfold(1, n, 1)[whole].numpy()
        counts = _count(ngrams, documents, panel)
        rare[:, n - 1 :][whole] = torch.from_numpy(counts <= max_count)
    if not rare.any():
        raise PanelError(
            f"no position of the panel ends a {n}-gram that occurs at most {max_count} times in "
            f"the documents given: raise `max_count` or `n` (windows have {rare.shape[1]} tokens), "
            f"or give more held-out text."
        )
    return rare


@checked(
    panel=A_PANEL,
    n=whole(least=1, hint="2 or 3 is usual"),
    max_count=whole(least=0, hint="1 is the default"),
)
def rare_ngram_reading(
    panel: HeldOutPanel, documents: Iterable[Document], *, n: int, max_count: int = 1
) -> ReadingKind:
    """What a monitor of this panel takes to read `rare_ngram_logprob`, as `rare_<n>gram_logprob`.

    The n-grams are counted here, once.

    Args:
        panel: The monitor's.
        documents: As in `rare_ngram_positions`.
        n: As in `rare_ngram_positions`.
        max_count: As in `rare_ngram_positions`.

    Raises:
        ArgumentError: As in `rare_ngram_positions`.
        TokenizerMismatchError: As in `rare_ngram_positions`.
        PanelError: As in `rare_ngram_positions`.
    """
    rare = rare_ngram_positions(panel, documents, n=n, max_count=max_count)

    def take(evidence: Evidence) -> Estimate:
        # Refused by its shape where the monitor's is another panel.
        return mean_logprob(evidence.whole.position_logprobs, evidence.panel, rare)

    return ReadingKind(
        f"rare_{n}gram_logprob",
        f"mean log-probability of tokens that end a {n}-gram which human text shows at most "
        f"{max_count} times, in nats",
        take,
        unit="nats",
        start="below 0",
    )


def _count(ngrams: Integers, documents: Iterable[Document], panel: HeldOutPanel) -> Integers:
    """How often each row of `ngrams`, of shape (rows, n), occurs in the documents.

    A row is spelt as one number, a token at a time: the rank of what stands before among all that
    the rows begin with, times the vocabulary, plus the token. It is exact, and fits into 64 bits
    for every n.
    """
    vocab_size, n = panel.reference.vocab_size, ngrams.shape[1]
    ranks = np.zeros(len(ngrams), dtype=np.int64)
    beginnings = []
    for tokens in ngrams.T:
        spelt, ranks = np.unique(ranks * vocab_size + tokens, return_inverse=True)
        beginnings.append(spelt)
    counts = np.zeros(len(beginnings[-1]), dtype=np.int64)
    for ids, lengths in document_blocks(documents):
        panel.reference.check_ids(ids)
        # Where an n-gram begins that does not run from one document into the next.
        starts = np.flatnonzero(np.arange(len(ids)) + n <= np.repeat(np.cumsum(lengths), lengths))
        found = np.zeros(len(starts), dtype=np.int64)
        for offset, spelt in enumerate(beginnings):
            wanted = found * vocab_size + ids[starts + offset]
            found = np.minimum(np.searchsorted(spelt, wanted), len(spelt) - 1)
            # Only what the panel begins likewise is looked at further, and most is not.
            alike = spelt[found] == wanted
            found, starts = found[alike], starts[alike]
        counts += np.bincount(found, minlength=len(counts))
    occurrences: Integers = counts[ranks]
    return occurrences
