"""Readings at chosen positions of a panel, from the log-probabilities at all of its positions."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch

from collapse_guard.errors import bad_argument
from collapse_guard.readings.evidence import Evidence
from collapse_guard.readings.kind import ReadingKind
from collapse_guard.readings.panel import Panel
from collapse_guard.readings.panel_logprobs import check_within
from collapse_guard.statistics.estimates import Estimate, document_means, exponential, ratio

Floats = npt.NDArray[np.float64]


def mean_logprob(logprobs: Floats, panel: Panel, at: torch.Tensor) -> Estimate:
    """Mean log-probability of the tokens at some positions, with its standard error.

    Args:
        logprobs: float64 of shape (positions,), natural logarithms: what `panel_logprobs` gives,
            or `PanelScores.position_logprobs`.
        panel: The held-out text that they were taken on.
        at: bool of shape (windows, tokens), the positions, within `panel.positions`.

    Returns:
        The mean over positions in nats, clustered by document; NaN where there is no position.

    Raises:
        ArgumentError: Another number of log-probabilities, or positions that are not the panel's.
    """
    check_logprobs("logprobs", logprobs, panel)
    return ratio(*by_document(logprobs, panel, check_within("at", at, panel)))


def retention(logprobs: Floats, start_logprobs: Floats, panel: Panel, at: torch.Tensor) -> Estimate:
    """How much of its starting probability a model has kept at some positions.

    The exponential of the mean over documents of the mean difference between the two models'
    log-probabilities. The positions are the same under both, so the text's own variance cancels.

    Args:
        logprobs: float64 of shape (positions,), natural logarithms, of the model as it is.
        start_logprobs: The same of the model that the run started from.
        panel: The held-out text that both were taken on.
        at: bool of shape (windows, tokens), the positions, within `panel.positions`.

    Returns:
        1.0 kept all, 0.8 lost a fifth, above 1 gained; NaN where there is no position.

    Raises:
        ArgumentError: Another number of log-probabilities, or positions that are not the panel's.
    """
    check_logprobs("logprobs", logprobs, panel)
    check_logprobs("start_logprobs", start_logprobs, panel)
    differences = logprobs - start_logprobs
    return exponential(
        document_means(*by_document(differences, panel, check_within("at", at, panel)))
    )


def retention_reading(
    name: str, meaning: str, positions: Callable[[Panel], torch.Tensor]
) -> ReadingKind:
    """What a monitor takes to read `retention` at positions that the panel alone decides.

    Of the start it keeps the summed log-probability of each document.

    Args:
        name: Of the reading.
        meaning: Of the reading.
        positions: From the panel to the positions, bool of shape (windows, tokens).
    """

    def sums(evidence: Evidence) -> tuple[Floats, Floats]:
        at = positions(evidence.panel)
        return by_document(evidence.whole.position_logprobs, evidence.panel, at)

    def keep_start(evidence: Evidence) -> list[float]:
        kept: list[float] = sums(evidence)[0].tolist()
        return kept

    def take(evidence: Evidence) -> Estimate:
        now, counts = sums(evidence)
        return exponential(document_means(now - np.array(evidence.kept(name)), counts))

    return ReadingKind(
        name, meaning, take, on_log_scale=True, start="above 0", keep_start=keep_start
    )


def check_logprobs(argument: str, logprobs: Floats, panel: Panel) -> None:
    """Refuse log-probabilities that are not one for each position of the panel.

    Args:
        argument: The argument's name.
        logprobs: What should be float64 of shape (positions,).
        panel: The held-out text.

    Raises:
        ArgumentError: Another shape.
    """
    expected = int(panel.positions.sum())
    if np.shape(logprobs) != (expected,):
        raise bad_argument(
            argument,
            expected=f"one number for each of the panel's {expected} positions",
            given=f"shape {np.shape(logprobs)}",
            hint="give what panel_logprobs returned for this panel, with `at` left out",
        )


def by_document(values: Floats, panel: Panel, at: torch.Tensor) -> tuple[Floats, Floats]:
    """Sums of values over the chosen positions of each document, and how many those are.

    Args:
        values: float64 of shape (positions,), one for each of the panel's.
        panel: The held-out text.
        at: bool of shape (windows, tokens), the positions, within `panel.positions`.

    Returns:
        Two float64 arrays of shape (documents,).
    """
    chosen = at[panel.positions].numpy()
    owners = panel.document_ids.repeat_interleave(panel.positions.sum(1)).numpy()[chosen]
    sums, counts = (
        np.bincount(owners, weights, panel.num_documents).astype(np.float64)
        for weights in (np.asarray(values)[chosen], None)
    )
    return sums, counts
