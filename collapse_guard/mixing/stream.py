"""The stream that users train on: the iterable twin of `MixGuard`, for sources without a length."""

import logging
import math
from collections.abc import Iterator
from copy import copy, deepcopy
from functools import partial
from typing import Any, Self

from torch.utils.data import DataLoader, IterableDataset

from collapse_guard.arguments import whole_number
from collapse_guard.distributed import launched_rank
from collapse_guard.errors import MixOrderError, bad_argument
from collapse_guard.finder.search import DecodingSearch
from collapse_guard.mixing.floor import HumanFraction
from collapse_guard.mixing.loaders.first_rows import FirstRows
from collapse_guard.mixing.loaders.stream_check import check_stream_loader
from collapse_guard.mixing.loaders.worker_starts import GoneOn
from collapse_guard.mixing.reports.stream_report import StreamReport, report_stream
from collapse_guard.mixing.sources import Given, decodings_of, marks_of, with_found
from collapse_guard.mixing.strata.boost import RareBoost
from collapse_guard.mixing.streaming.build import plan_stream
from collapse_guard.mixing.streaming.dealt_reader import SLOTS_AT_A_TIME, Portions, StreamReader
from collapse_guard.mixing.streaming.dealt_slots import DealtSlots
from collapse_guard.mixing.streaming.lane_reader import LaneReader
from collapse_guard.mixing.streaming.lanes import check_readers
from collapse_guard.mixing.streaming.open_cursors import open_cursors
from collapse_guard.mixing.streaming.open_reader import open_reader
from collapse_guard.mixing.streaming.states import check_state
from collapse_guard.model.decoding import Decoding
from collapse_guard.rows.marks import Marks
from collapse_guard.rows.row_source import RowSource
from collapse_guard.rows.source import Source

logger = logging.getLogger("collapse_guard")

_VERSION = 2


class MixStream(IterableDataset[Any]):
    """Human and synthetic rows in one stream with a floor of human rows, read as it comes.

    As in `MixGuard`, every window of n consecutive slots holds at least floor(n f) human rows, and
    every batch of B slots at least ceil(f B) where B is a whole number of blocks: which slots are
    human follows from their number alone. But its sources need no length: each may be a Hugging
    Face `IterableDataset` or anything else that can be iterated over again and again, or rows that
    are read by number, as in `MixGuard`.

    Which row a slot shows follows from the seed, the slot and the order of the sources, so that
    any number of processes and workers train on the same stream, and no row comes twice. For that
    sources are not to be split between processes beforehand, and give the same rows in each.
    Without lanes each reader reads *all* rows of a stream and drops those of other readers' slots:
    more of them make collating faster, but not reading. Of a source, each holds at most two shuffle
    buffers of rows, and those of 512 slots, of a block or of one portion of each reader, whichever
    is most; with lanes as much of each of its lanes.

    With `lanes`, every lane has files of each stream, or ranges of rows, to itself, and readers
    read those of their own lanes only: eight readers of eight lanes decode an eighth of the rows
    each. The number of readers must divide that of the lanes. Who gets which slot stays as it is,
    and so does the floor. In exchange

    * sources come in at least as many shards as lanes show rows of them, which `shard(num_shards,
      index)` gives one by one, as Hugging Face's streams do, or are read by number;
    * a lane goes through its own rows: where files are not of one length, or shards no multiple of
      the lanes, rows of one lane come up to `max_repeats` times before another's are all shown. It
      is logged by how much, as far as the number of shards tells;
    * the stream has a `length` or no end (`max_repeats=None`), as no reader sees the others' ends;
    * a row moves within its lane.
    Readers compare their first rows where they can, and what is known to differ is refused.

    The stream is dealt out to readers in portions of `batch_size` slots. One that has several must
    know how many rows each reads in one go:

    * for a `DataLoader` with workers, that is its own `batch_size`;
    * with the Hugging Face `Trainer`, and accelerate, the main process reads and hands on the rows:
      it is the rows of a device, or those of all devices with `split_batches` or
      `dispatch_batches=False`;
    * with Lightning, and wherever each process reads for itself, it is the rows of a device, and
      each process is given `stream.shard(num_shards, index)`.

    `check_loader` says whether a loader fits. `state_dict` and `load_state_dict` are what
    torchdata's `StatefulDataLoader` looks for, and work by hand for a loader without workers.
    Where the length is unknown the Trainer needs `max_steps`; it resumes by reading again what was
    read before. Of a Hugging Face stream that is read by two iterators of one process at the same
    time, only the latest can be resumed.

    Args:
        human: Human rows: rows as of `MixGuard` or a stream of them, a `Source` of either, or a
            list of these. None only where `human_fraction` is 0.
        synthetic: Likewise synthetic rows. None only where `human_fraction` is 1.
        human_fraction: The floor f, as of `MixGuard`; one that changes needs a `length`, and
            "golden" sources that say how many rows they have: `len`, or `Source(num_rows=...)`.
        block_size: G, in slots: the global batch, or a divisor of it.
        length: Slots of the stream, at least 1; rounded up to a whole number of blocks. None for
            as many as the sources have rows for, in whole blocks.
        max_repeats: How many times a source is gone through, at least 1; None for no limit. A
            source is dry when that is done. With a `length`, it is an error that some source is dry
            before, unless its `when_dry` says "stop", or, of a synthetic one, "human".
        shuffle_buffer: Rows of a stream that are read together and shown in a seeded order, at
            least 1: no row moves further. Rows that are read by number are all shuffled. Leave a
            stream itself unshuffled, or shuffle its files only: its own buffer cannot be resumed
            but by reading from the start.
        batch_size: Slots that one reader reads in one go, where there are several; see above. None
            for a single one.
        lanes: Parts of the rows that readers share out among them; part of what the stream is, as
            the seed is. Best a multiple of the readers that there will ever be. 1 for none.
        boost: Shows the human rows that are rare in every pass and the commonest in one of `times`
            passes on average, as quality does, and those in between accordingly. Needs a `sample`.
        generation_decay: Factor on the weight of a synthetic source for each generation that it is
            older than the newest, above 0: with 0.5 the newest weighs twice what the one before
            it does; above 1, models nearer to human text weigh more.
        seed: A whole number from 0.

    Raises:
        ArgumentError: An argument cannot work, alone or with the others; says what to do.

    Example:
        >>> class Numbers:
        ...     def __init__(self, mark: str) -> None:
        ...         self.mark = mark
        ...     def __iter__(self) -> Iterator[str]:
        ...         return (f"{self.mark}{number}" for number in range(1000))
        >>> stream = MixStream(
        ...     Numbers("h"), Numbers("s"), human_fraction=0.3, block_size=8, shuffle_buffer=4
        ... )
        >>> from itertools import islice
        >>> list(islice(stream, 8))
        ['s3', 's0', 'h0', 's1', 's2', 'h1', 's4', 'h3']
    """

    def __init__(
        self,
        human: Given,
        synthetic: Given,
        *,
        human_fraction: HumanFraction,
        block_size: int,
        length: int | None = None,
        max_repeats: int | None = 1,
        shuffle_buffer: int = 1000,
        batch_size: int | None = None,
        lanes: int = 1,
        boost: RareBoost | None = None,
        generation_decay: float = 1.0,
        seed: int = 0,
    ) -> None:
        self._plan = plan_stream(
            human,
            synthetic,
            human_fraction=human_fraction,
            block_size=block_size,
            length=length,
            max_repeats=max_repeats,
            generation_decay=generation_decay,
            lanes=lanes,
            batch_size=batch_size,
            boost=boost,
        )
        self._sources = self._plan.sources
        self._marks = marks_of(self._plan.sources, self._plan.rows)
        buffer = whole_number(
            "shuffle_buffer", shuffle_buffer, least=1, hint="give 1 for the stream's own order"
        )
        seed = whole_number("seed", seed, least=0, most=2**64 - 1, hint="give e.g. 0")
        self._order = {"buffer": buffer, "seed": seed}
        self._batch_size = batch_size
        if batch_size is not None:
            self._batch_size = whole_number(
                "batch_size", batch_size, least=1, hint="give the batch size of the loader"
            )
        self._shard: tuple[int, int] | None = None
        self._is_dealt_out = False
        self._start: dict[str, Any] | None = None
        self._gone_on = GoneOn()
        self._first_rows = FirstRows(len(self._sources))
        self._reader: StreamReader | LaneReader | None = None

    @property
    def sources(self) -> tuple[Source, ...]:
        """The sources that have slots, human ones first."""
        return self._sources

    @property
    def decodings(self) -> tuple[Decoding, ...]:
        """What marks in labels mean, as of `MixGuard`."""
        return decodings_of(self._sources)

    @property
    def marks(self) -> Marks | None:
        """What marks the labels of rows, as of `MixGuard`."""
        return self._marks

    def count_losses(self, change: int) -> None:
        """Keep count of the losses that know what marks mean; a `SamplerMatchedLoss` calls it."""
        if self._marks is not None:
            self._marks.losses += change

    def set_decoding(self, name: str, found: Decoding | DecodingSearch) -> None:
        """Say what was found for a source with `decoding="find"`, as of `MixGuard`."""
        self._sources = with_found(self._sources, name, found)

    @property
    def identity(self) -> dict[str, Any]:
        """What a state must share with this stream: its arguments, as plain data."""
        own = {"seed": self._order["seed"], "shuffle_buffer": self._order["buffer"]}
        return deepcopy({**own, **self._plan.identity})

    def __len__(self) -> int:
        """Number of slots, of this process where the stream is sharded.

        Raises:
            TypeError: It is not known, as for any stream.
        """
        if self._length is None:
            raise TypeError("this MixStream has no length: it ends where a source runs dry")
        return self._length // (1 if self._shard is None else self._shard[0])

    def __iter__(self) -> Iterator[Any]:
        """The rows of this reader's slots, from the first or from where a state was loaded.

        Raises:
            MixOrderError: Several processes or workers would get the same rows, or the portions in
                which they read are not known.
            ArgumentError: A source has run dry that must not, or the state that was loaded is
                that of another reader.
        """
        start, self._start = self._start, None
        if start is not None and not self._gone_on.claim():
            start = None
        size = self._batch_size or self._plan.block_size
        portions, shown = Portions.of_this_worker(self._shard, size), 0
        if start is not None:
            portions, shown = portions.resumed(start)
        # Where all processes read, each reads a part of it.
        is_shared = self._shard is not None or self._is_dealt_out
        self._reader = open_reader(
            self._plan,
            self.sources,
            portions,
            shown,
            start or {},
            **self._order,
            unit=self._unit,
            length=self._length,
            marks=self._marks,
            differs=self._first_rows.of_sources(self.identity, is_shared=is_shared),
        )
        return self._rows(self._reader)

    def shard(self, num_shards: int, index: int) -> Self:
        """The part of the stream that one of several processes reads.

        The processes are dealt portions of `batch_size` slots, one after another, so that the k-th
        batches of all of them are consecutive slots. The stream is made to end with a batch of each
        process.

        Args:
            num_shards: Number of processes that read for themselves, at least 1.
            index: Number of this one, from 0.

        Returns:
            A stream of its own, with the same sources. It goes on where this one was told to.

        Raises:
            ArgumentError: There is no such shard, or `batch_size` was not given.
            MixOrderError: So many would have to share lanes.
        """
        shards = whole_number("num_shards", num_shards, least=1, hint="give the world size")
        number = whole_number("index", index, least=0, most=shards - 1, hint="give the rank")
        if shards > 1 and self._batch_size is None:
            raise bad_argument(
                "batch_size",
                expected="the batch size of each process's loader",
                given=None,
                hint="give it to the MixStream",
            )
        check_readers(self._plan.lanes, shards)
        part = copy(self)
        part._shard = (shards, number)
        part._reader = None
        part._gone_on = GoneOn()
        return part

    def state_dict(self) -> dict[str, Any]:
        """Where the latest iteration stands: plain data, of a size that does not grow.

        A loader reads ahead of what it hands on, a worker has a copy of the stream: use
        `StatefulDataLoader` with workers, or `resume_at`.
        """
        if self._start is not None:
            return deepcopy(self._start)
        state = {"base": 0} if self._reader is None else self._reader.state_dict()
        return {"version": _VERSION, "stream": self.identity, **state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Let the next iteration go on where a state was taken.

        A state that was taken while one reader read the whole stream can be gone on from by any
        number of readers; any other only by the reader that it was taken from.

        Args:
            state: As from `state_dict`.

        Raises:
            ArgumentError: It is of another stream, or another version, or no whole state; nothing
                is changed then.
        """
        hands_over = any(source.when_dry == "human" for source in self.sources)
        check_state(
            state,
            version=_VERSION,
            identity=self.identity,
            length=self._length,
            open_cursors=partial(
                open_cursors,
                self._plan,
                buffer=self._order["buffer"],
                seed=self._order["seed"],
            ),
            shown_before=DealtSlots(self._plan.slots, self._human).shown_before,
            ahead=None if hands_over else self._order["buffer"] + SLOTS_AT_A_TIME,
            lanes=self._plan.lanes,
        )
        self._start, self._gone_on = deepcopy(state), GoneOn()

    def resume_at(self, slots: int) -> None:
        """Let the next iteration go on after the first slots of the whole stream.

        Exact on any number of processes and workers, whatever it was before; sources are read
        again up to there.

        Args:
            slots: Slots shown so far by all processes, e.g. steps x global batch.
        """
        base = whole_number("slots", slots, least=0, most=2**62, hint="give the slots shown so far")
        self._start = {"version": _VERSION, "stream": self.identity, "base": base}
        self._gone_on = GoneOn()

    def report(self, slots: int) -> StreamReport:
        """What the first slots of the whole stream show: the same on every process.

        Args:
            slots: Number of slots shown so far, e.g. steps x global batch.

        Raises:
            ArgumentError: It is no number of slots.
        """
        hint = "give the slots shown so far"
        shown = whole_number("slots", slots, least=0, most=2**62, hint=hint)
        dealt = DealtSlots(self._plan.slots, self._human)
        asked = dealt.shown_before(shown).tolist()
        for number, (source, rows, repeats) in enumerate(
            zip(self.sources, self._plan.rows, self._plan.max_repeats, strict=True)
        ):
            # Of rows that are read by number it is known beforehand when they run dry.
            if source.when_dry != "human" or not isinstance(rows, RowSource) or repeats is None:
                continue
            if self._plan.lanes is not None:
                break
            if asked[number] > len(rows) * repeats:
                dealt.hand_over(number, len(rows) * repeats)
        counts = dealt.shown_before(shown).tolist()
        return report_stream(
            self.sources,
            counts,
            self._plan.sizes,
            slots=shown,
            block_size=self._plan.block_size,
            in_lanes=self._plan.lanes is not None,
        )

    def check_loader(self, loader: "DataLoader[Any]") -> None:
        """Refuse a loader that would void the floor, or show rows twice, before it reads any.

        Args:
            loader: As made by hand, by `Trainer.get_train_dataloader()` or by accelerate.

        Raises:
            MixOrderError: Says what to set.
        """
        check_stream_loader(loader, batch_size=self._batch_size, is_sharded=self._shard is not None)
        check_readers(self._plan.lanes, (self._shard or (1,))[0] * max(loader.num_workers, 1))
        # What deals the rows out may do so on all processes, each of which then reads all of them.
        self._is_dealt_out = True

    def __getstate__(self) -> dict[str, Any]:
        # A worker's copy begins anew; a reader holds iterators, which cannot travel.
        return {**self.__dict__, "_reader": None}

    @property
    def _human(self) -> list[int]:
        return [n for n, source in enumerate(self.sources) if source.kind == "human"]

    @property
    def _unit(self) -> int:
        if self._shard is None or self._batch_size is None:
            return self._plan.block_size
        return math.lcm(self._plan.block_size, self._shard[0] * self._batch_size)

    @property
    def _length(self) -> int | None:
        if self._plan.length is None:
            return None
        return -(-self._plan.length // self._unit) * self._unit

    def _rows(self, reader: StreamReader | LaneReader) -> Iterator[Any]:
        # Not before the first row is asked for: accelerate makes iterators that are never read.
        if self._shard is None and not self._is_dealt_out and launched_rank():
            raise MixOrderError(
                "every process would read the whole MixStream, so that its rows came twice: give "
                "each process stream.shard(num_shards, index); or, where accelerate deals the rows "
                "out with dispatch_batches=False, call stream.check_loader(loader)."
            )
        if self._marks is not None and not self._marks.losses:
            logger.warning(
                "the labels of this MixStream are marked with the decodings of its sources, and no "
                "loss knows what the marks mean: call match_sampler(trainer, stream) before "
                "training, or take the loss by SamplerMatchedLoss(stream)."
            )
        if reader.portions.readers > 1 and self._batch_size is None:
            raise MixOrderError(
                "several workers share out the batches of a MixStream that knows no batch "
                "size, so its floor of human rows would not hold: give batch_size to the MixStream."
            )
        check_readers(self._plan.lanes, reader.portions.readers)
        yield from reader.rows()
