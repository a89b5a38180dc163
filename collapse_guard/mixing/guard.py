"""The data set that users train on: a plan, its sources, and a check of the reading order."""

import operator
from collections.abc import Sequence
from copy import deepcopy
from functools import partial
from typing import Any, Self, cast

import numpy as np
import numpy.typing as npt
from torch.utils.data import DataLoader, Dataset

from collapse_guard.arguments import as_array, understood, whole_number
from collapse_guard.audit.audit import audit_rows
from collapse_guard.audit.report import AuditReport
from collapse_guard.errors import bad_argument, shown
from collapse_guard.finder.search import DecodingSearch
from collapse_guard.human_text.panel import HeldOutPanel
from collapse_guard.human_text.tokenizer import Tokenizer
from collapse_guard.mixing.build import build_plan
from collapse_guard.mixing.floor import HumanFraction
from collapse_guard.mixing.identity import identity_of
from collapse_guard.mixing.loaders.block_of import changed_arguments, made_for, remembered
from collapse_guard.mixing.loaders.order_check import OrderCheck, check_loader
from collapse_guard.mixing.loaders.single_reads import SingleReads
from collapse_guard.mixing.loaders.split_sources import SplitSources
from collapse_guard.mixing.order.plan import Located, LookAhead
from collapse_guard.mixing.planning.outlook import MixOutlook, outlook_of
from collapse_guard.mixing.reports.counting import report_slots
from collapse_guard.mixing.reports.report import MixReport
from collapse_guard.mixing.sources import decodings_of, marks_of, open_sources, with_found
from collapse_guard.mixing.strata.boost import RareBoost
from collapse_guard.mixing.strata.stratify import stratify
from collapse_guard.mixing.tokens.settings import Unit
from collapse_guard.model.decoding import Decoding
from collapse_guard.rows.batch_reader import BatchReader
from collapse_guard.rows.marks import Marks
from collapse_guard.rows.row_source import Rows
from collapse_guard.rows.source import Source
from collapse_guard.rows.token_counts import Lengths


def _listed(slots: Any, most: int) -> list[int]:
    """Slots of one batch that came as something else than a list."""
    wanted = {"expected": "the slots of one batch", "hint": "give a list of whole numbers"}
    with understood("slots", slots, **wanted):
        each = [operator.index(slot) for slot in slots] if len(slots) <= most else None
    if each is None:
        raise bad_argument("slots", given=slots, **wanted)
    return each


class MixGuard(Dataset[Any]):
    """Human and synthetic rows in one stream, with a floor of human rows.

    The floor f is no expectation. Every window of n consecutive slots, wherever it starts, holds
    at least floor(n f) human rows, and every batch of B slots at least ceil(f B) where B is a whole
    number of blocks; on any number of devices, workers and accumulation steps, across epochs and
    after a resume. `floor_segments` has the proof, for floors that change too. The stream is read
    in order, so train with

    * `TrainingArguments(train_sampling_strategy="sequential", num_train_epochs=1)`, or what
      `trainer_arguments` makes of others,
    * `DataLoader(guard, shuffle=False)`,
    * Lightning's `Trainer(use_distributed_sampler=False)`, on several devices with
      `sampler=DistributedSampler(guard, shuffle=False)`.

    It is shuffled already: which row stands in a slot follows from (seed, slot) alone. A loader
    that shuffles it again, as the Trainer does by default, is refused with a `MixOrderError` at its
    first batch or, where batches of a single slot do not show their order, at its second: before
    the first step of the Trainer and of accelerate, which read a batch ahead. So is one that
    shuffles a data set around it. `check_loader` refuses it before the first. Not seen is a loader
    with `in_order=False`, whose workers hand over batches as they come.

    Rows of Hugging Face data sets are read with one call a batch, columns of token ids straight out
    of their Arrow buffers; with `collate_fn=MixCollator()` they become tensors without a detour.

    Within an epoch no row, human or synthetic, is shown more than `max_repeats` times, the rows of
    a stratum are shown equally often to within one, and two showings of a row lie at least half a
    round of its stratum apart. Rows are human or synthetic by the source that they come from: the
    rows themselves are handed on untouched. But where a source says with which `decoding` a model
    drew its tokens, the `labels` of all rows are marked with it, for the sampler-matched loss: see
    `Source` and `collapse_guard.integrations.match_sampler`.

    Args:
        human: Human rows, in any container that `Source` takes. None only where `human_fraction`
            is 0. A `Source`, or a list of them, says where rows come from, and how much of the
            stream each source may fill.
        synthetic: Synthetic rows, with the same columns, or a `Source`, or a list of them. None
            only where `human_fraction` is 1.
        human_fraction: The floor f, from 0 to 1. A float is read as the fraction that it was meant
            as: 0.3 and 1 - 0.7 of 10 slots are 3; `fractions.Fraction` says any share exactly.
            `"golden"` is what `golden_fraction` says. A list of stages `(until, f)`, such as
            `[(0.2, 1.0), (1.0, 0.3)]`, is all human for a fifth of the whole run (of all epochs)
            and 0.3 from there; a function from progress, 0 to 1, to f is made into stages by
            `human_stages`. Each stage keeps its own floor in full, from its first block to its
            last; a window across its border holds at least as much as its parts must.
        block_size: G, in slots: the global batch, i.e. rows per device x devices x accumulation
            steps, or a divisor of it; `for_trainer` computes it. Each block holds ceil(f G) human
            rows, no more except where `Source(when_dry="human")` asks for it.
        generation_decay: Factor on the weight of a synthetic source for each generation that it is
            older than the newest, above 0: with 0.5 the newest weighs twice what the one before
            it does; above 1, models nearer to human text weigh more.
        boost: Shows rare human rows more often, as `RareBoost(3.0, by=reference)` says; None for
            equal exposure of all.
        max_repeats: Most times that a row may be shown in an epoch, at least 1, where its source
            does not say.
        length: Slots of an epoch, at least 1; rounded up to a whole number of blocks. None for as
            many as there are rows in the sources that have slots.
        epochs: Epochs that the stream covers, at least 1, each in an order of its own. Give the
            training loop one epoch: it need not tell the data set which one it is in.
        seed: A whole number from 0.
        unit: What the floor is a share of: `"rows"`, or `"tokens"`, those that are trained on, with
            rows of any length. Then any consecutive rows hold at least f of their trained tokens in
            human rows, less one longest row; so does every batch, whatever its size, on any number
            of devices, and across epochs. `merge` has the proof. Weights of sources are shares of
            tokens too, on average. Needs tokenized rows or `lengths`, and one floor for the whole
            stream; and reads how long the rows are when it is made.
        lengths: How many tokens a row is trained on, where `unit="tokens"`: the name of a column,
            or a function from row to number. None to count its `labels` that are not -100, or else
            its `input_ids` where no `attention_mask`, `completion_mask` or `assistant_masks` is 0;
            without the first token, which a causal model has nothing to predict from.

    Raises:
        ArgumentError: An argument cannot work, alone or with the others; says what to do.
        TokenizerMismatchError: Human rows have token ids that the boost's reference does not know.

    Example:
        >>> human = [{"input_ids": [1, row]} for row in range(30)]
        >>> synthetic = [{"input_ids": [2, row]} for row in range(70)]
        >>> guard = MixGuard(human, synthetic, human_fraction=0.3, block_size=8)
        >>> len(guard), guard[0]["input_ids"][0]
        (104, 2)
        >>> print(guard.report())
        104 slots, 37.5% human (at least 3 of every 8)
        human: 39 shown of 30 rows, 30 different, 9 more than once
        synthetic: 65 shown of 70 rows, 65 different, 0 more than once

        Two models share the synthetic slots, the newer one two thirds of them:

        >>> first = Source(synthetic[:40], "first", "synthetic", generation=1)
        >>> second = Source(synthetic[40:], "second", "synthetic", generation=2)
        >>> guard = MixGuard(
        ...     human, [first, second], human_fraction="golden", block_size=8, generation_decay=0.5
        ... )
        >>> print(guard.report())
        104 slots, 50.0% human (at least 4 of every 8)
        human: 52 shown of 30 rows, 30 different, 22 more than once
        first: 17 shown of 40 rows, 17 different, 0 more than once
        second: 35 shown of 30 rows, 30 different, 5 more than once
    """

    def __init__(
        self,
        human: Rows | Source | Sequence[Source] | None,
        synthetic: Rows | Source | Sequence[Source] | None,
        *,
        human_fraction: HumanFraction,
        block_size: int,
        generation_decay: float = 1.0,
        boost: RareBoost | None = None,
        max_repeats: int = 4,
        length: int | None = None,
        epochs: int = 1,
        seed: int = 0,
        unit: Unit = "rows",
        lengths: Lengths | None = None,
    ) -> None:
        if boost is not None and not isinstance(boost, RareBoost):
            raise bad_argument(
                "boost",
                expected="a RareBoost, or None",
                given=boost,
                hint="RareBoost(3.0, by=reference) shows the rarest rows three times as often",
            )
        mixed = open_sources(human, synthetic, human_fraction)
        self._plan = build_plan(
            mixed,
            stratify(mixed, boost),
            block_size=block_size,
            generation_decay=generation_decay,
            max_repeats=max_repeats,
            length=length,
            epochs=epochs,
            seed=seed,
            unit=unit,
            lengths=lengths,
        )
        self._sources = mixed.sources
        self._marks = marks_of(mixed.sources, mixed.rows)
        self._ahead = LookAhead(self._plan)
        self._reader = BatchReader(
            [cast(Rows, source.rows) for source in self._sources],
            [source.name for source in self._sources],
            mixed.check,
        )
        self._num_slots = self._plan.slots_per_epoch * self._plan.epochs
        self._order = OrderCheck(self._num_slots)
        self._singles = SingleReads(self._num_slots)
        self._split = SplitSources(mixed.sources, (block_size, max_repeats, epochs, seed))
        self._identity = identity_of(
            mixed.sources,
            mixed.rows,
            mixed.stages,
            generation_decay=generation_decay,
            boost=boost,
            block_size=self._plan.slots.block_size,
            length=self._plan.slots_per_epoch,
            max_repeats=max_repeats,
            epochs=epochs,
            seed=seed,
            unit=unit,
        )
        self._arguments: Any = None

    @classmethod
    def for_trainer(
        cls,
        human: Rows | Source | Sequence[Source] | None,
        synthetic: Rows | Source | Sequence[Source] | None,
        args: Any,
        *,
        human_fraction: HumanFraction,
        batch_size: int | None = None,
        **rest: Any,
    ) -> Self:
        """A mixed stream whose block is the global batch of what trains on it.

        Args:
            human: As of `MixGuard`.
            synthetic: As of `MixGuard`.
            args: Hugging Face's `TrainingArguments` or those of a Trainer of TRL; train with
                `trainer_arguments()`. Or an `Accelerator`, or a Lightning `Trainer`, for which
                `collapse_guard.integrations.MixDataModule` does the rest too.
            human_fraction: As of `MixGuard`.
            batch_size: Of the loader, for the latter two.
            rest: As of `MixGuard`. Where `epochs` is not given, there are as many as the training
                has, or as its `max_steps` need.

        Raises:
            ArgumentError: As of `MixGuard`, or `args` are none of these, or are set to something
                that voids the floor.

        Example:
            >>> from transformers import TrainingArguments
            >>> args = TrainingArguments("out", gradient_accumulation_steps=2, use_cpu=True)
            >>> rows = [{"input_ids": [row]} for row in range(40)]
            >>> mix = MixGuard.for_trainer(rows, rows, args, human_fraction=0.3)
            >>> str(mix.report()).splitlines()[0]
            '240 slots, 31.2% human (at least 5 of every 16)'
            >>> mix.trainer_arguments().train_sampling_strategy
            'sequential'
        """
        make = partial(cls, human, synthetic, human_fraction=human_fraction)
        mix = made_for(make, args, batch_size, rest)
        mix._arguments = remembered(args)
        return mix

    def trainer_arguments(self, args: Any = None) -> Any:
        """A copy of a Trainer's arguments with what must change for this stream changed.

        It is read in order, `train_sampling_strategy="sequential"`, and once: its own epochs take
        the place of `num_train_epochs`. TRL's `shuffle_dataset` becomes False.

        Args:
            args: Hugging Face's `TrainingArguments`, or those of TRL; None for those that
                `for_trainer` was given.

        Raises:
            ArgumentError: They are set to something that voids the floor, or their global batch
                is no whole number of blocks.
        """
        given = self._arguments if args is None else args
        block_size = self._plan.slots.block_size
        return changed_arguments(given, block_size=block_size, epochs=self.epochs)

    @classmethod
    def plan(
        cls,
        human: float,
        synthetic: float,
        tokens: float,
        *,
        human_fraction: HumanFraction | None = None,
        max_repeats: int = 4,
        tokens_per_row: float | None = None,
    ) -> MixOutlook:
        """What a mix would show, out of numbers alone: before there are rows, or a run to waste.

        How often each row is seen, for how long a floor can be held, what repeating costs by the
        law of `worth` (which says where it is from, and what it was fitted on), and the golden
        weight. Averages, without the rounding to whole rows of a block.
        `collapse_guard.integrations.plots.plot_outlook` draws it.

        Args:
            human: Human tokens that there are, at least 1.
            synthetic: Synthetic tokens that there are, at least 0.
            tokens: Tokens to train on, at least 1, all epochs together.
            human_fraction: A floor to ask about, as of `MixGuard`; None for the usual ones alone.
            max_repeats: Most times that a row may be shown in the whole run: `max_repeats` of
                `MixGuard`, times its epochs.
            tokens_per_row: Mean length of a row, where `human` and `synthetic` count rows.

        Raises:
            ArgumentError: An argument is out of range.

        Example:
            >>> outlook = MixGuard.plan(human=1e6, synthetic=9e6, tokens=2e7, human_fraction=0.3)
            >>> outlook.asked.human_times, outlook.largest_share
            (6.0, 0.2)
        """
        return outlook_of(
            human,
            synthetic,
            tokens,
            human_fraction=human_fraction,
            max_repeats=max_repeats,
            tokens_per_row=tokens_per_row,
        )

    @property
    def identity(self) -> dict[str, Any]:
        """What a run must share with the one that it resumes: the arguments, as plain data."""
        return deepcopy(self._identity)

    @property
    def sources(self) -> tuple[Source, ...]:
        """The sources that have slots, human ones first."""
        return self._sources

    @property
    def epochs(self) -> int:
        """Epochs that the stream covers."""
        return self._plan.epochs

    @property
    def decodings(self) -> tuple[Decoding, ...]:
        """What marks in labels mean: the i-th of these for a mark of i, from 1.

        Raises:
            ArgumentError: One is still to be found.
        """
        return decodings_of(self._sources)

    @property
    def marks(self) -> Marks | None:
        """What marks the labels of rows; None where no source says how it was drawn."""
        return self._marks

    def count_losses(self, change: int) -> None:
        """Keep count of the losses that know what marks mean; a `SamplerMatchedLoss` calls it."""
        if self._marks is not None:
            self._marks.losses += change

    def set_decoding(self, name: str, found: Decoding | DecodingSearch) -> None:
        """Say what was found for a source with `decoding="find"`; rows stay as they are.

        Args:
            name: Of the source.
            found: What `find_decoding` returns, or the decoding alone.

        Raises:
            ArgumentError: No such source waits for its decoding.
        """
        self._sources = with_found(self._sources, name, found)

    def __len__(self) -> int:
        """Number of slots, over all epochs: a whole number of blocks."""
        return self._num_slots

    def __getitem__(self, slot: int) -> Any:
        """The row in one slot: in any order to look at, in order where a loader asks for it.

        Raises:
            IndexError: There is no such slot; they are counted from 0.
            MixOrderError: A loader reads a data set around this one out of order.
        """
        if not isinstance(slot, int):
            slot = operator.index(slot)
        if not 0 <= slot < self._num_slots:
            raise IndexError(f"slot {shown(slot)} is not from 0 to {self._num_slots - 1}")
        self._singles.check(slot)
        return self.read(np.array([slot], dtype=np.int64))[0]

    def __getitems__(self, slots: Sequence[int]) -> list[Any]:
        """The rows of one batch; torch's loaders call this with all of its slots.

        Raises:
            MixOrderError: The batch is out of order; says what to set.
            ArgumentError: Labels are marked, and no loss knows what the marks mean; a source gives
                more or fewer rows than are asked for; or another process has other rows.
        """
        if not isinstance(slots, Sequence) or isinstance(slots, range):
            slots = _listed(slots, self._num_slots)
        if not len(slots):
            return []
        if self._marks is not None:
            self._marks.check_known()
        if min(slots) < 0 or max(slots) >= self._num_slots:
            raise IndexError(
                f"slots {shown(list(slots))} are not all from 0 to {self._num_slots - 1}"
            )
        self._order.check(slots)
        self._split.check(slots[0])
        return self.read(np.asarray(slots, dtype=np.int64))

    def read(self, slots: npt.NDArray[np.int64]) -> list[Any]:
        """The rows of slots in any order, which nothing checks: for what keeps an order of its own.

        Args:
            slots: int64 of shape (n,), from 0 to `len(guard) - 1`; n at least 1.
        """
        located = self._ahead.locate(slots)
        rows = self._reader.read(located.source, located.row)
        return rows if self._marks is None else self._marks.mark(rows, located.source)

    def locate(self, slots: npt.ArrayLike) -> Located:
        """Where the rows of any slots come from: the provenance of a batch, without its rows.

        Args:
            slots: Integers of shape (n,), from 0 to `len(guard) - 1`.

        Returns:
            Arrays of shape (n,): whether the row is human, its source in `sources`, its number in
            that source, and whether no earlier slot of the stream shows it.

        Raises:
            ArgumentError: There is no such slot.

        Example:
            >>> rows = [{"text": "a"}, {"text": "b"}]
            >>> guard = MixGuard(rows, rows, human_fraction=0.5, block_size=2)
            >>> guard.locate([0, 1, 2, 3]).is_human.tolist()
            [False, True, False, True]
        """
        hint = "give e.g. range(64)"
        wanted = as_array("slots", slots, expected="a list of whole numbers", hint=hint)
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
        return report_slots(self._plan, self._sources, shown)

    def check(
        self,
        *,
        column: str | None = None,
        panel: HeldOutPanel | None = None,
        tokenizer: Tokenizer | None = None,
        near: float | None = 0.8,
    ) -> AuditReport:
        """Look for rows that should not be trained on, and say which: `audit_rows` says more.

        Synthetic rows that a human source holds too, identical or nearly so, rows that repeat
        others or lie inside longer ones, rows that hold held-out text, empty rows, columns that
        differ, token ids that cannot be those which a source's `decoding` drew, and forms that tell
        synthetic rows from human ones. Every row is read, some ten thousand a second.

        Args:
            column: The column of token ids or texts; None for "input_ids" or, where there is none,
                "text".
            panel: The held-out text. Where rows are texts, with the `tokenizer`.
            tokenizer: The tokenizer of the panel's reference, and of what drew the rows.
            near: Least Jaccard similarity of runs of five tokens that counts as nearly the same,
                from 0.5 to 1; None to look for identical rows only.

        Raises:
            ArgumentError: No such column, or texts and a panel without a tokenizer.
            TokenizerMismatchError: The tokenizer is not the panel's, or the token ids are not.

        Example:
            >>> human = [{"input_ids": [1, 2, 3, 4, 5, row]} for row in range(4)]
            >>> synthetic = [human[2], {"input_ids": [7]}, {"input_ids": []}]
            >>> guard = MixGuard(human, synthetic, human_fraction=0.5, block_size=2)
            >>> print(guard.check())
            7 rows checked: 4 of human, 3 of synthetic
            synthetic: 1 row stands in human too, 1 identical and 0 nearly so: 0 like 2 (identical)
            synthetic: 1 empty row: 2
            synthetic: of 4 forms none surely tells its rows from human ones
            not looked for: held-out text, since no panel was given
        """
        return audit_rows(self._sources, column=column, panel=panel, tokenizer=tokenizer, near=near)

    def check_loader(self, loader: "DataLoader[Any]") -> None:
        """Refuse a loader that will not read this stream in order, before it has read anything.

        Worth a call where a loop reads no batch ahead of its first step. Draws no random number.

        Args:
            loader: As made by hand, by `Trainer.get_train_dataloader()` or by accelerate.

        Raises:
            MixOrderError: Its sampler is none that is known to keep the order.
        """
        check_loader(loader)
