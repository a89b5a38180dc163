"""A filter of datatrove that weighs texts, and says whom it hits."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from collapse_guard.arguments import a, checked, flag, function, optional, real, whole
from collapse_guard.audit import (
    EntropyRateBand,
    RejectionReport,
    TextDetector,
    detector_scores,
    row_entropy_rates,
    row_rarity,
)
from collapse_guard.audit.exact_duplicates import Keys, identity_keys
from collapse_guard.audit.filters.rejection_sample import RejectionSample
from collapse_guard.audit.filters.weights import soft_weights
from collapse_guard.errors import bad_argument
from collapse_guard.extras import require
from collapse_guard.human_text.panel import A_REFERENCE
from collapse_guard.human_text.reference import HumanReference
from collapse_guard.human_text.tokenizer import Tokenizer
from collapse_guard.integrations.datatrove.rank_files import (
    open_folder,
    rank_files,
    write_rank_file,
)
from collapse_guard.scrambling import scramble

require("datatrove", "datatrove")

from datatrove.pipeline.filters.base_filter import BaseFilter  # noqa: E402
from datatrove.pipeline.writers.disk_base import DiskWriter  # noqa: E402

Floats = npt.NDArray[np.float64]

WEIGHT = "collapse_weight"
"""The metadata with the weight of a text, from 0 to 1."""

RARITY = "collapse_rarity"
"""The metadata with its rarity, in bits."""

_HINT = "leave it out"


class CollapseFilter(BaseFilter):  # type: ignore[misc]
    """Weighs texts by a detector or by how much is new in them, and keeps each with its weight.

    A text of weight 0.3 is kept in 3 of 10 cases, and so are all of its copies, in every run with
    the same seed. With `drop=False` all texts are kept, and their weights stand in the metadata
    `collapse_weight`, for `Source(quality="collapse_weight")`. Whom the filter hits is written down
    (`read_rejection`), since a filter that takes rare contents away does the harm that it is meant
    to prevent; so it asks for a reference.

    Args:
        reference: Says what is rare.
        output_folder: Where a file of each task goes, one that nothing else is written to.
        tokenizer: The reference's.
        detector: Says how likely texts are to be machine-written; their weight is then that of
            `quality_weights`.
        band: Of human texts; others have the weight `outside`.
        least: As of `quality_weights`.
        strength: As of `quality_weights`.
        outside: From 0 to 1.
        drop: Whether texts are left out.
        seed: Of which ones are, at least 0.
        exclusion_writer: A writer of datatrove for those that are.
        batch_size: Texts that are weighed at once, at least 1.

    Raises:
        ArgumentError: Neither a detector nor a band, or one of the others is something else.
        TokenizerMismatchError: The tokenizer is not the reference's.
    """

    name = "Collapse"

    @checked(
        reference=A_REFERENCE,
        detector=optional(function(expected="a TextDetector", hint=_HINT)),
        band=optional(
            a(EntropyRateBand, expected="an EntropyRateBand", hint="make one of human texts")
        ),
        outside=real(least=0, most=1, what="a weight", hint="0 drops such texts"),
        drop=flag(hint=_HINT),
        seed=whole(least=0, most=2**32, hint=_HINT),
        exclusion_writer=optional(a(DiskWriter, expected="a writer of datatrove", hint=_HINT)),
        batch_size=whole(least=1, hint=_HINT),
    )
    def __init__(
        self,
        reference: HumanReference,
        output_folder: Any,
        *,
        tokenizer: Tokenizer,
        detector: TextDetector | None = None,
        band: EntropyRateBand | None = None,
        least: float = 0.1,
        strength: float = 1.0,
        outside: float = 0.0,
        drop: bool = True,
        seed: int = 0,
        exclusion_writer: Any = None,
        batch_size: int = 64,
    ) -> None:
        super().__init__(exclusion_writer, batch_size)
        if detector is None and band is None:
            raise bad_argument(
                "detector", expected="a detector, or a band", given=None, hint="give one, or both"
            )
        reference.check_tokenizer(tokenizer)
        # Refuses settings that are out of range, and weighs nothing.
        soft_weights(np.zeros(1), least=least, strength=strength)
        self.output_folder = open_folder("output_folder", output_folder)
        self._reference, self._tokenizer = reference, tokenizer
        self._detector, self._band = detector, band
        self._least, self._strength, self._outside = least, strength, outside
        self._drop, self._seed = drop, seed
        self._hit = RejectionSample()

    def filter(self, doc: Any) -> bool | tuple[bool, str]:
        """Whether one document is kept.

        Args:
            doc: Of datatrove.
        """
        (kept,) = self.filter_batch([doc])
        return kept

    def filter_batch(self, batch: list[Any]) -> list[bool | tuple[bool, str]]:
        """Whether documents are kept, or why they are not; weights go into their metadata.

        Args:
            batch: Documents of datatrove.
        """
        texts = [document.text for document in batch]
        keys = identity_keys(texts)
        rarity = row_rarity(texts, self._reference, tokenizer=self._tokenizer)
        by_detector, by_band = self._weights(texts)
        weights = by_detector * by_band
        self._hit.extend(keys, weights, rarity)
        for document, weight, bits in zip(batch, weights.tolist(), rarity.tolist(), strict=True):
            document.metadata.update({WEIGHT: weight, RARITY: bits})
        is_kept = _chances(keys, self._seed) < weights if self._drop else np.ones(len(batch), bool)
        reasons = np.where(by_band < by_detector, "entropy_rate", "detector").tolist()
        return [
            True if kept else (False, reason)
            for kept, reason in zip(is_kept.tolist(), reasons, strict=True)
        ]

    def run(self, data: Any, rank: int = 0, world_size: int = 1) -> Iterator[Any]:
        """Go through the documents of a task, and pass on those that are kept.

        Args:
            data: Documents.
            rank: Number of the task.
            world_size: Number of tasks.
        """
        self._hit = RejectionSample()
        yield from super().run(data or (), rank, world_size)
        write_rank_file(self.output_folder, rank, world_size, self._hit.state_dict())

    def _weights(self, texts: list[str]) -> tuple[Floats, Floats]:
        by_detector, by_band = np.ones(len(texts)), np.ones(len(texts))
        if self._detector is not None:
            scores = detector_scores(self._detector, texts)
            by_detector = soft_weights(scores, least=self._least, strength=self._strength)
        if self._band is not None:
            is_within = self._band.contains(*row_entropy_rates(texts))
            by_band = np.where(is_within, 1.0, self._outside)
        return by_detector, by_band


def read_rejection(folder: Any, **settings: Any) -> RejectionReport:
    """Whom a `CollapseFilter` hits, by what its tasks wrote.

    Args:
        folder: The filter's `output_folder`.
        settings: Of `rejection_by_rarity`.

    Raises:
        ArgumentError: A task's file is missing or broken.
    """
    hit = RejectionSample()
    for said in rank_files(folder):
        hit.take_in(RejectionSample.of_state(said.value))
    return hit.report(**settings)


def _chances(keys: Keys, seed: int) -> Floats:
    """A number from 0 to 1 for each content, apart from those that samples are drawn by."""
    words = scramble(keys ^ scramble(np.array([seed + 1], dtype=np.uint64)))
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53
