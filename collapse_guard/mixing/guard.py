"""The data set that users train on: a plan, two sources, and a check of the reading order."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
from torch.utils.data import DataLoader, Dataset

from collapse_guard.errors import bad_argument
from collapse_guard.mixing.arguments import whole_number
from collapse_guard.mixing.build import check_repeats, rarity_strata, row_stream, slots_per_epoch
from collapse_guard.mixing.lookahead import LookAhead
from collapse_guard.mixing.order import OrderCheck, check_loader
from collapse_guard.mixing.plan import MixPlan
from collapse_guard.mixing.quota import Quota
from collapse_guard.mixing.report import MixReport, report_slots
from collapse_guard.mixing.sources import Rows, RowSource, check_same_columns
from collapse_guard.mixing.strata import Strata
from collapse_guard.reference import HumanReference


class MixGuard(Dataset[Any]):
    """Human and synthetic rows in one stream, with a floor of human rows.

    The floor f is no expectation. Every window of n consecutive slots, wherever it starts, holds
    at least floor(n f) human rows, and every batch of B slots at least ceil(f B) where B is a whole
    number of blocks; on any number of devices, workers and accumulation steps, across epochs and
    after a resume. `Quota` has the proof. The stream is read in order, so train with

    * `TrainingArguments(train_sampling_strategy="sequential", num_train_epochs=1)`,
    * `DataLoader(guard, shuffle=False)`,
    * Lightning's `Trainer(use_distributed_sampler=False)`, on several devices with
      `sampler=DistributedSampler(guard, shuffle=False)`.

    It is shuffled already: which row stands in a slot follows from (seed, slot) alone. A loader
    that shuffles it again, as the Trainer does by default, is refused with a `MixOrderError` at its
    first batch. Only batches of a single slot do not show their order at once: those are refused
    at the third that a process reads, or by `check_loader` before the first. A loader with
    `batch_size=None` reads row by row and is not checked at all.

    Within an epoch no row, human or synthetic, is shown more than `max_repeats` times, the rows of
    a stratum are shown equally often to within one, and two showings of a row lie at least half a
    round of its stratum apart. Rows are human or synthetic by the source that they come from: the
    rows themselves are handed on untouched.

    Args:
        human: Human rows: a Hugging Face `Dataset`, a list of rows, any map-style torch data set.
            None only where `human_fraction` is 0.
        synthetic: Synthetic rows, with the same columns. None only where `human_fraction` is 1.
        human_fraction: The floor f, from 0 to 1. A float is read as the decimal that it prints as,
            so that 0.3 of 10 slots is 3; `fractions.Fraction` says any other share exactly.
        block_size: G, in slots: the global batch, i.e. rows per device x devices x accumulation
            steps, or a divisor of it. Each block holds ceil(f G) human rows.
        rare_boost: How many times as often the rarest human rows are shown as the commonest, at
            least 1; strata in between lie on a straight line. What `max_repeats` cuts off goes to
            the other strata. None for equal exposure of all.
        reference: Says which contents are rare; needed with `rare_boost`.
        column: The column of token ids that rarity is read from; used with `rare_boost`.
        max_repeats: Most times that a row may be shown in an epoch, at least 1.
        num_strata: Groups of human rows by rarity, cut at quantiles, from 2 to 100; used with
            `rare_boost`. Rows of equal rarity share a stratum.
        length: Slots of an epoch, at least 1; rounded up to a whole number of blocks. None for as
            many as there are rows in the sources that have slots.
        epochs: Epochs that the stream covers, at least 1, each in an order of its own. Give the
            training loop one epoch: it need not tell the data set which one it is in.
        seed: A whole number from 0.

    Raises:
        ArgumentError: An argument cannot work, alone or with the others; says what to do.
        TokenizerMismatchError: Human rows have token ids that `reference` does not know.

    Example:
        >>> human = [{"input_ids": [1, row]} for row in range(30)]
        >>> synthetic = [{"input_ids": [2, row]} for row in range(70)]
        >>> guard = MixGuard(human, synthetic, human_fraction=0.3, block_size=8)
        >>> len(guard), guard[0]["input_ids"][0]
        (104, 2)
        >>> print(guard.report())
        104 slots, 37.5% human (3 of every 8)
        human: 39 shown of 30 rows, 30 different, 9 more than once
        synthetic: 65 shown of 70 rows, 65 different, 0 more than once
    """

    def __init__(
        self,
        human: Rows | None,
        synthetic: Rows | None,
        *,
        human_fraction: float | Fraction,
        block_size: int,
        rare_boost: float | None = None,
        reference: HumanReference | None = None,
        column: str = "input_ids",
        max_repeats: int = 4,
        num_strata: int = 10,
        length: int | None = None,
        epochs: int = 1,
        seed: int = 0,
    ) -> None:
        quota = Quota.of(human_fraction, block_size)
        max_repeats = whole_number("max_repeats", max_repeats, least=1, hint="give e.g. 4")
        epochs = whole_number("epochs", epochs, least=1, hint="give 1 for one pass")
        seed = whole_number("seed", seed, least=0, most=2**64 - 1, hint="give e.g. 0")

        self._human = RowSource("human", human, needed=quota.human_fraction > 0)
        self._synthetic = RowSource("synthetic", synthetic, needed=quota.human_fraction < 1)
        check_same_columns(self._human, self._synthetic)

        num_rows = len(self._human) + len(self._synthetic)
        slots = slots_per_epoch(length, quota, num_rows=num_rows)
        human_draws = slots // quota.block_size * quota.human_per_block
        synthetic_draws = slots - human_draws
        for source, draws in ((self._human, human_draws), (self._synthetic, synthetic_draws)):
            check_repeats(
                source,
                draws=draws,
                slots=slots,
                block_size=quota.block_size,
                max_repeats=max_repeats,
            )

        human_strata = Strata.unranked(len(self._human))
        if rare_boost is not None and human_draws:
            human_strata = rarity_strata(
                self._human,
                reference=reference,
                column=column,
                num_strata=num_strata,
                rare_boost=rare_boost,
            )
        self._plan = MixPlan(
            quota,
            human=row_stream(
                human_strata,
                draws=human_draws,
                rare_boost=1.0 if rare_boost is None else rare_boost,
                max_repeats=max_repeats,
                key=(seed, 0),
            ),
            synthetic=row_stream(
                Strata.unranked(len(self._synthetic)),
                draws=synthetic_draws,
                rare_boost=1.0,
                max_repeats=max_repeats,
                key=(seed, 1),
            ),
        )
        self._ahead = LookAhead(self._plan)
        self._num_slots = slots * epochs
        self._order = OrderCheck(self._num_slots)

    def __len__(self) -> int:
        """Number of slots, over all epochs: a whole number of blocks."""
        return self._num_slots

    def __getitem__(self, slot: int) -> Any:
        """The row in one slot, in whatever order slots are asked for: for looking, not training.

        Raises:
            IndexError: There is no such slot; they are counted from 0.
        """
        if not 0 <= slot < self._num_slots:
            raise IndexError(f"slot {slot} is not from 0 to {self._num_slots - 1}")
        return self._read(np.array([slot], dtype=np.int64))[0]

    def __getitems__(self, slots: Sequence[int]) -> list[Any]:
        """The rows of one batch; torch's loaders call this with all of its slots.

        Raises:
            MixOrderError: The batch is out of order; says what to set.
        """
        if not len(slots):
            return []
        self._order.check(slots)
        return self._read(np.asarray(slots, dtype=np.int64))

    def locate(self, slots: npt.ArrayLike) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
        """Where the rows of any slots come from: the provenance of a batch, without its rows.

        Args:
            slots: Integers of shape (n,), from 0 to `len(guard) - 1`.

        Returns:
            bool of shape (n,), whether the row is human, and int64 of shape (n,), its number in
            `human` or `synthetic`.

        Raises:
            ArgumentError: There is no such slot.

        Example:
            >>> rows = [{"text": "a"}, {"text": "b"}]
            >>> guard = MixGuard(rows, rows, human_fraction=0.5, block_size=2)
            >>> guard.locate([0, 1, 2, 3])[0].tolist()
            [False, True, False, True]
        """
        wanted = np.asarray(slots)
        if wanted.ndim != 1 or (wanted.size and not np.issubdtype(wanted.dtype, np.integer)):
            raise bad_argument(
                "slots",
                expected="a list or one-dimensional array of whole numbers",
                given=slots,
                hint="give e.g. range(64)",
            )
        if wanted.size and (wanted.min() < 0 or wanted.max() >= self._num_slots):
            raise bad_argument(
                "slots",
                expected=f"slots from 0 to {self._num_slots - 1}",
                given=slots,
                hint="len(guard) is the number of slots over all epochs",
            )
        return self._plan.locate(wanted.astype(np.int64))

    def report(self, slots: int | None = None) -> MixReport:
        """What the stream shows, up to a slot: a figure of the plan, the same on every process.

        Args:
            slots: Number of slots shown so far, e.g. steps x global batch. None for all.

        Raises:
            ArgumentError: The stream has no such slot.
        """
        if slots is None:
            slots = self._num_slots
        hint = "give the number of slots shown so far, or None for all"
        shown = whole_number("slots", slots, least=0, most=self._num_slots, hint=hint)
        return report_slots(self._plan, shown)

    def check_loader(self, loader: "DataLoader[Any]") -> None:
        """Refuse a loader that will not read this stream in order, before it has read anything.

        Worth a call where a device's batch is one row: see above. Draws no random number.

        Args:
            loader: As made by hand, by `Trainer.get_train_dataloader()` or by accelerate.

        Raises:
            MixOrderError: Its sampler is none that is known to keep the order.
        """
        check_loader(loader)

    def _read(self, slots: npt.NDArray[np.int64]) -> list[Any]:
        is_human, rows = self._ahead.locate(slots)
        batch: list[Any] = [None] * len(slots)
        for source, chosen in ((self._human, is_human), (self._synthetic, ~is_human)):
            read = source.read(rows[chosen].tolist())
            for position, row in zip(np.flatnonzero(chosen), read, strict=True):
                batch[position] = row
        return batch
