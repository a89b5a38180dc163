"""Fine-tunings whose truth is known: what alarms are worth is measured on these.

A run is a panel that is looked at 1,000 times: a few windows at most looks, all of it at some. What
a look gives on a window is simulated; which windows are looked at, and what each counts afterwards,
is told by the package's own `Rotation` over a panel of its own kind.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from collapse_guard import HeldOutPanel, HumanReference
from collapse_guard.monitor.rotation import Rotation
from collapse_guard.readings.panel_sums import BandSums

Floats = npt.NDArray[np.float64]
Law = Literal["heavy", "rare gains", "rare losses"]

LOOKS = 1000
WINDOWS_PER_LOOK = 4
FULL_EVERY = 40
"""Looks from one at the whole panel to the next."""

ONSET, SUDDEN, GRADUAL = 285, 1, 300
"""The look after which a planted loss begins, 35 looks ahead of one at the whole panel; and the
looks that it takes to its full size."""

DOCUMENT, TOKEN, DRIFT, FRESH = 0.20, 0.10, 0.10, 0.05
"""Spreads in nats: of a document for good, of a token for good, of what comes and goes with a
document, and of a token at each look. A full fine-tuning on WikiText spreads its documents by 0.16
to 0.33."""
DRIFT_LOOKS = 50.0
HEAVY = 5.0
"""Degrees of freedom of Student's t, of which all but the drift are drawn."""

TORSO_GAIN = 0.05
"""What every run, healthy or not, learns about the torso by its end, in nats: the human control of
the recursive example improves its loss by as much."""
HEAD_GAIN = 0.27
"""Nats that the head gains for each that the tail loses, as in the recursive example after one
generation on the model's own text. With a tenth of the tokens in the tail and half of them in the
head the loss improves."""


@dataclass(frozen=True)
class Truth:
    """What the model really does: nats against its start, of shape (looks,), for each band."""

    tail: Floats
    head: Floats
    torso: Floats


def steady(*, tail: float = 0.0, head: float = 0.0) -> Truth:
    """Retentions that never move from where they are, with a torso that is learned."""
    still = np.ones(LOOKS)
    return Truth(tail * still, head * still, TORSO_GAIN * np.linspace(0, 1, LOOKS))


def losing(loss: float, *, over: int, head_gain: float = HEAD_GAIN) -> Truth:
    """A share of the tail's probability lost after the look `ONSET`, `over` so many looks."""
    healthy = steady()
    lost = math.log1p(-loss) * np.clip((np.arange(1, LOOKS + 1) - ONSET) / over, 0, 1)
    return Truth(healthy.tail + lost, healthy.head - head_gain * lost, healthy.torso)


def simulated_panel(*, documents: int = 96, window: int = 128, seed: int = 0) -> HeldOutPanel:
    """Documents of one or two windows, half head; some with hardly a tail token, some with many."""
    random = np.random.default_rng(seed)
    shares = np.clip(random.gamma(2.0, 0.05, documents), 0.01, 0.45)
    head, torso, tail = range(3)
    reference = HumanReference(counts=np.array([54, 37, 9]))
    texts = [
        random.choice([head, torso, tail], window * random.integers(1, 3), p=[0.5, 0.5 - s, s])
        for s in shares
    ]
    return HeldOutPanel.from_token_ids(texts, reference, window=window)


class Look(NamedTuple):
    """What one look gives in each of many runs.

    Attributes:
        windows: int64 of shape (looked at,).
        freshness: float64 of shape (windows,), of all of them after this look.
        tail: float64 of shape (runs, looked at): summed log-probabilities against the start.
        head: As `tail`.
        torso: As `tail`; None where only a part of the panel was looked at.
    """

    windows: npt.NDArray[np.int64]
    freshness: Floats
    tail: Floats
    head: Floats
    torso: Floats | None


class SimulatedRuns:
    """Many runs of one truth, each with chances of its own: iterate over their looks.

    Args:
        panel: What is looked at. It is the same in all runs: what its documents do is drawn.
        truth: What the models really do.
        runs: How many.
        seed: Of all chances.
        law: How documents differ for good: as Student's t, or with a long tail on one side.
    """

    def __init__(
        self, panel: HeldOutPanel, truth: Truth, *, runs: int, seed: int = 0, law: Law = "heavy"
    ) -> None:
        self.panel, self.truth, self.runs = panel, truth, runs
        self._seed, self._law = seed, law

    def __iter__(self) -> Iterator[Look]:
        random = np.random.default_rng(self._seed)
        counts = self.panel.position_counts
        owners = self.panel.document_ids.numpy()
        tail, head, torso = (
            _Band(each, owners, self.runs, random, self._law)
            for each in (
                counts["tail"],
                counts["head"],
                counts["all"] - counts["tail"] - counts["head"],
            )
        )
        rotation = Rotation(self.panel)
        for look in range(len(self.truth.tail)):
            is_full = look % FULL_EVERY == 0
            windows = _turn(rotation, len(self.panel), is_full=is_full)
            yield Look(
                windows,
                rotation.freshness,
                tail.sums(windows, look, self.truth.tail[look]),
                head.sums(windows, look, self.truth.head[look]),
                torso.sums(windows, look, self.truth.torso[look]) if is_full else None,
            )


def _turn(rotation: Rotation, num_windows: int, *, is_full: bool) -> npt.NDArray[np.int64]:
    """Turn on a rotation that keeps no sums: those of many runs do not fit it."""
    if is_full:
        rotation.update_all(BandSums(*np.zeros((3, num_windows))))
        return np.arange(num_windows)
    windows = rotation.next(WINDOWS_PER_LOOK)
    rotation.update(windows, BandSums(*np.zeros((3, WINDOWS_PER_LOOK))))
    return windows.numpy()


class _Band:
    """What the tokens of one band do in each run."""

    def __init__(
        self,
        counts: Floats,
        owners: npt.NDArray[np.int64],
        runs: int,
        random: np.random.Generator,
        law: Law,
    ) -> None:
        self._counts, self._owners, self._runs, self._random = counts, owners, runs, random
        documents = int(owners.max()) + 1
        of_documents = DOCUMENT * self._draw((runs, documents), law)
        of_tokens = TOKEN * self._draw((runs, len(owners)), "heavy")
        self._for_good = counts * of_documents[:, owners] + np.sqrt(counts) * of_tokens
        # At the start nothing has drifted yet: it is what all looks are compared with.
        self._drift = np.zeros((runs, documents))
        self._drifted_at = np.zeros(documents)

    def sums(self, windows: npt.NDArray[np.int64], look: int, truth: float) -> Floats:
        self._drift_on(np.unique(self._owners[windows]), look)
        counts = self._counts[windows]
        drift = self._drift[:, self._owners[windows]]
        fresh = FRESH * self._draw((self._runs, len(windows)), "heavy")
        return self._for_good[:, windows] + counts * (truth + drift) + np.sqrt(counts) * fresh

    def _drift_on(self, documents: npt.NDArray[np.int64], look: int) -> None:
        """An autoregression, moved on to this look for the documents that it concerns."""
        kept = np.exp((self._drifted_at[documents] - look) / DRIFT_LOOKS)
        news = DRIFT * np.sqrt(1 - kept**2)
        drawn = self._random.standard_normal((self._runs, len(documents)))
        self._drift[:, documents] = kept * self._drift[:, documents] + news * drawn
        self._drifted_at[documents] = look

    def _draw(self, size: tuple[int, int], law: Law) -> Floats:
        """Numbers of mean 0 and spread 1."""
        if law == "heavy":
            return self._random.standard_t(HEAVY, size) / math.sqrt(HEAVY / (HEAVY - 2))
        one_sided = self._random.exponential(1.0, size) - 1
        return one_sided if law == "rare gains" else -one_sided
