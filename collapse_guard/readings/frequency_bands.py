"""Negative log-likelihood by token frequency, in any number of bands."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import torch

from collapse_guard.arguments import MOST, a, checked, whole
from collapse_guard.errors import bad_argument
from collapse_guard.human_text.panel import A_REFERENCE
from collapse_guard.human_text.reference import HumanReference
from collapse_guard.readings.at_positions import Floats, mean_logprob, retention, retention_reading
from collapse_guard.readings.evidence import Evidence
from collapse_guard.readings.kind import ReadingKind
from collapse_guard.readings.panel import Panel
from collapse_guard.statistics.estimates import Estimate


@dataclass(frozen=True, eq=False)
class FrequencyBands:
    """A vocabulary cut into bands that hold about the same number of human tokens each.

    Attributes:
        band_of_type: int64 of shape (vocabulary,), from 0, the rarest types and all unseen ones,
            to `len(self)` - 1, the commonest.
        token_share: float64 of shape (bands,), the share of human tokens that each really holds.
        max_count: int64 of shape (bands,), the count of each band's commonest type.
    """

    band_of_type: npt.NDArray[np.int64]
    token_share: Floats
    max_count: npt.NDArray[np.int64]

    def __len__(self) -> int:
        """Number of bands."""
        return len(self.token_share)

    def positions(self, panel: Panel, band: int) -> torch.Tensor:
        """bool of shape (windows, tokens): the panel's positions whose token is in a band."""
        if len(self.band_of_type) != panel.vocab_size:
            raise bad_argument(
                "panel",
                expected=f"one over the bands' vocabulary of {len(self.band_of_type)} types",
                given=f"one of {panel.vocab_size} types",
                hint="make the bands of panel.reference",
            )
        return panel.positions & torch.from_numpy(self.band_of_type == band)[panel.input_ids]


@checked(reference=A_REFERENCE, bands=whole(least=1, most=MOST, hint="10 is usual"))
def frequency_bands(reference: HumanReference, bands: int) -> FrequencyBands:
    """Cut a vocabulary into bands of equally many human tokens.

    Types are ordered by count, and types of one count stay together: they go to the band in which
    the middle of their tokens falls. So a band's share is off from 1 / `bands` by no more than the
    tokens of a single count at either end, and a count that holds more than a band's worth may
    leave others empty: those are left out, and fewer bands come back.

    Args:
        reference: The human reference.
        bands: How many, at least 1.

    Raises:
        ArgumentError: A number of bands out of range.

    Example:
        >>> reference = HumanReference.from_token_ids([[0, 0, 0, 1, 1, 2]], vocab_size=4)
        >>> bands = frequency_bands(reference, 2)
        >>> bands.band_of_type.tolist(), bands.token_share.tolist(), bands.max_count.tolist()
        ([1, 0, 0, 0], [0.5, 0.5], [2, 3])
    """
    levels, level_of_type, types = np.unique(
        reference.counts, return_inverse=True, return_counts=True
    )
    tokens = levels * types
    middles = np.cumsum(tokens) - tokens / 2
    wanted = np.minimum((middles / tokens.sum() * bands).astype(np.int64), bands - 1)
    if levels[0] == 0:
        # Unseen types belong to the rarest of the bands that hold tokens.
        wanted[0] = wanted[1]
    _, band_of_level = np.unique(wanted, return_inverse=True)
    last_levels = np.append(np.flatnonzero(np.diff(band_of_level)), len(levels) - 1)
    return FrequencyBands(
        band_of_type=band_of_level[level_of_type.reshape(-1)].astype(np.int64),
        token_share=np.bincount(band_of_level, tokens) / tokens.sum(),
        max_count=levels[last_levels],
    )


def band_nll(logprobs: Floats, panel: Panel, bands: FrequencyBands) -> tuple[Estimate, ...]:
    """Mean negative log-likelihood of the tokens of each band, with standard errors.

    A model that collapses loses the rare bands first, and may win on the common ones, which hides
    the loss in the mean over all tokens.

    Args:
        logprobs: float64 of shape (positions,), natural logarithms: what `panel_logprobs` gives,
            or `PanelScores.position_logprobs`.
        panel: The held-out text that they were taken on.
        bands: Of `panel.reference`.

    Returns:
        One for each band, the rarest first: nats per token, clustered by document; NaN for a band
        without a position in the panel.

    Raises:
        ArgumentError: Another number of log-probabilities, or bands of another vocabulary.
    """
    return tuple(
        mean_logprob(-np.asarray(logprobs), panel, bands.positions(panel, band))
        for band in range(len(bands))
    )


def band_retention(
    logprobs: Floats, start_logprobs: Floats, panel: Panel, bands: FrequencyBands
) -> tuple[Estimate, ...]:
    """`retention` of each band, the rarest first: `tail_retention` for any number of bands.

    Args:
        logprobs: As in `retention`.
        start_logprobs: As in `retention`.
        panel: As in `retention`.
        bands: Of `panel.reference`.

    Raises:
        ArgumentError: Another number of log-probabilities, or bands of another vocabulary.
    """
    return tuple(
        retention(logprobs, start_logprobs, panel, bands.positions(panel, band))
        for band in range(len(bands))
    )


@checked(
    bands=a(FrequencyBands, expected="FrequencyBands", hint="give frequency_bands(reference, 10)")
)
def band_readings(bands: FrequencyBands) -> tuple[ReadingKind, ...]:
    """What a monitor takes to read each band: `CollapseMonitor(panel, readings=[..., *these])`.

    `nll_band_<b>`, as `band_nll`, and `retention_band_<b>`, as `band_retention`, for each band b,
    0 being the rarest. Of the start they keep a number for each document.

    Args:
        bands: Of the panel's reference.

    Example:
        >>> reference = HumanReference.from_token_ids([[0, 0, 0, 1, 1, 2]], vocab_size=4)
        >>> [kind.name for kind in band_readings(frequency_bands(reference, 2))]
        ['nll_band_0', 'nll_band_1', 'retention_band_0', 'retention_band_1']
    """
    numbers = range(len(bands))
    nll = (
        ReadingKind(
            f"nll_band_{band}",
            f"mean NLL of tokens that human text shows at most {bands.max_count[band]} times",
            partial(_nll, bands=bands, band=band),
            unit="nats",
            bad="high",
            start="above 0",
        )
        for band in numbers
    )
    kept = (
        retention_reading(
            f"retention_band_{band}",
            f"share of the start's probability of tokens that human text shows at most "
            f"{bands.max_count[band]} times",
            partial(bands.positions, band=band),
        )
        for band in numbers
    )
    return (*nll, *kept)


def _nll(evidence: Evidence, *, bands: FrequencyBands, band: int) -> Estimate:
    logprobs, panel = evidence.whole.position_logprobs, evidence.panel
    return mean_logprob(-logprobs, panel, bands.positions(panel, band))
