"""A mixed stream as packs of whole rows that know where each of them comes from."""

import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import DataLoader, Dataset

from collapse_guard.arguments import as_array, listed, one_of, understood, whole_number
from collapse_guard.errors import bad_argument, shown
from collapse_guard.mixing.guard import MixGuard
from collapse_guard.mixing.loaders.order_check import OrderCheck, check_loader
from collapse_guard.mixing.packing.borders import pack_starts
from collapse_guard.mixing.packing.pack import Segment, pack_of, segment_of
from collapse_guard.mixing.reports.report import MixReport
from collapse_guard.model.decoding import Decoding
from collapse_guard.model.marked_labels import unmark_labels
from collapse_guard.rows.row_source import RowSource
from collapse_guard.rows.source import Kind
from collapse_guard.rows.token_batch import TokenBatch
from collapse_guard.rows.token_counts import row_tokens

Longer = Literal["error", "truncate"]

_SLOTS_AT_A_TIME = 1 << 16


class LocatedSegments(NamedTuple):
    """Where the rows in some packs come from, one after another.

    Attributes:
        pack: int64 of shape (n,), the pack that the row stands in.
        slot: int64 of shape (n,), its slot in the mixed stream.
        tokens: int64 of shape (n,), how many of its tokens stand in the pack; 0 for an empty row,
            which is none of the pack's `seq_lengths`.
        is_human: bool of shape (n,), whether the row is human.
        source: int64 of shape (n,), the number of its source in `MixGuard.sources`.
        row: int64 of shape (n,), its number in that source.
    """

    pack: npt.NDArray[np.int64]
    slot: npt.NDArray[np.int64]
    tokens: npt.NDArray[np.int64]
    is_human: npt.NDArray[np.bool_]
    source: npt.NDArray[np.int64]
    row: npt.NDArray[np.int64]


@dataclass(frozen=True)
class PackSegment:
    """One row in a pack.

    Attributes:
        slot: Its slot in the mixed stream.
        source: The name of its source.
        kind: "human" or "synthetic".
        generation: Models between human text and it.
        row: Its number in the source.
        start: Where its tokens begin in the pack.
        tokens: How many there are.
        decoding: How a model drew them; None where it is not known, or nobody did.
    """

    slot: int
    source: str
    kind: Kind
    generation: int
    row: int
    start: int
    tokens: int
    decoding: Decoding | None


class PackedMix(Dataset[Any]):
    """The rows of a `MixGuard`, whole and in their order, as many in a pack as fit.

    Since no row is put into another place, packs in a row are rows in a row, and the floor holds
    for them as it does for the rows: in any consecutive packs, and in each batch of packs. Reads
    how long all rows are when it is made. Packs are read in order too, and what reads them
    otherwise is refused as by `MixGuard`.

    A pack is a row of `input_ids`, `labels` (with the marks of the sampler-matched loss where
    sources say their `decoding`), `position_ids` that begin at 0 in each segment, and
    `seq_lengths`. The first label of each segment is -100. Train with

    * `Trainer(model, args, train_dataset=packed, data_collator=PackCollator())`;
    * TRL: `SFTConfig(packing=False, padding_free=True, max_length=None,
      train_sampling_strategy="sequential")` and `train_dataset=as_hf_dataset(packed)`. TRL's own
      packing puts rows into another order and drops where they come from.

    Args:
        guard: The mixed stream.
        length: Tokens that a pack has room for, at least 2.
        longer: What to do with longer rows: `"error"` refuses them, `"truncate"` keeps their first
            tokens. Where the floor counts tokens it would no longer hold then, and cutting is
            refused: cut the rows before they are mixed.

    Raises:
        ArgumentError: Rows are not tokenized, or too long; or an argument is out of range.

    Example:
        >>> human = [{"input_ids": [1] * 3}] * 4
        >>> synthetic = [{"input_ids": [2] * 5}] * 4
        >>> guard = MixGuard(human, synthetic, human_fraction=0.5, block_size=2)
        >>> packed = PackedMix(guard, length=8)
        >>> len(packed), packed[0]["seq_lengths"]
        (4, [5, 3])
        >>> [segment.kind for segment in packed.segments(0)]
        ['synthetic', 'human']
    """

    def __init__(self, guard: MixGuard, length: int, *, longer: Longer = "error") -> None:
        if not isinstance(guard, MixGuard):
            raise bad_argument(
                "guard", expected="a MixGuard", given=guard, hint="mix the rows first"
            )
        self.guard = guard
        self._length = whole_number("length", length, least=2, hint="give e.g. 2048")
        one_of("error", "truncate", hint="say what to do with rows that are longer")(
            "longer", longer
        )
        counts = [row_tokens(RowSource(each.name, each.rows)) for each in guard.sources]
        self._check_lengths(counts, longer)
        self._tokens = [np.minimum(each, self._length) for each in counts]
        self._starts = pack_starts(self._lengths(), self._length)
        self._order = OrderCheck(len(self))

    def __len__(self) -> int:
        """Number of packs, over all epochs of the stream."""
        return len(self._starts) - 1

    def __getitem__(self, pack: int) -> dict[str, Any]:
        """One pack, in whatever order packs are asked for: for looking, not training.

        Raises:
            IndexError: There is no such pack; they are counted from 0.
        """
        return self._read([self._checked(pack)])[0]

    def __getitems__(self, packs: Sequence[int]) -> list[dict[str, Any]]:
        """The packs of one batch; torch's loaders call this with all of them.

        Raises:
            MixOrderError: The batch is out of order; says what to set.
            ArgumentError: Labels are marked, and no loss knows what the marks mean.
        """
        asked = {"expected": "the packs of one batch", "hint": "give a list of whole numbers"}
        each = listed("packs", packs, **asked)
        with understood("packs", packs, **asked):
            numbers = [operator.index(pack) for pack in each]
        wanted = [self._checked(pack) for pack in numbers]
        if not wanted:
            return []
        if self.guard.marks is not None:
            self.guard.marks.check_known()
        self._order.check(wanted)
        return self._read(wanted)

    def locate(self, packs: npt.ArrayLike) -> LocatedSegments:
        """Where the rows in any packs come from, without reading them.

        Args:
            packs: Integers of shape (n,), from 0 to `len(packed) - 1`.

        Returns:
            Arrays with an entry for each row of these packs, pack by pack.

        Raises:
            ArgumentError: There is no such pack.
        """
        wanted: dict[str, Any] = {
            "expected": f"a list of packs, from 0 to {len(self) - 1}",
            "hint": "give e.g. range(4)",
        }
        numbers = as_array("packs", packs, **wanted)
        if numbers.ndim != 1 or (numbers.size and not np.issubdtype(numbers.dtype, np.integer)):
            raise bad_argument("packs", given=packs, **wanted)
        if numbers.size and not 0 <= numbers.min() <= numbers.max() < len(self):
            raise bad_argument("packs", given=packs, **wanted)
        numbers = numbers.astype(np.int64)
        slots = [np.zeros(0, dtype=np.int64), *map(self._slots, numbers.tolist())]
        sizes = [len(each) for each in slots[1:]]
        every = np.concatenate(slots)
        is_human, source, row, _ = self.guard.locate(every)
        tokens = self._tokens_of(source, row)
        pack = np.repeat(numbers, np.array(sizes, dtype=np.int64))
        return LocatedSegments(pack, every, tokens, is_human, source, row)

    def segments(self, pack: int) -> list[PackSegment]:
        """The rows in a pack that have tokens, in their order: one for each of its `seq_lengths`.

        Raises:
            IndexError: There is no such pack.
            ArgumentError: Some source's decoding is still to be found.
        """
        pack = self._checked(pack)
        located = self.locate([pack])
        rows = self._segments(self._slots(pack))
        decodings = () if self.guard.marks is None else self.guard.decodings
        told, start = [], 0
        for number, (ids, labels) in enumerate(rows):
            if not len(ids):
                continue
            source = self.guard.sources[located.source[number]]
            mark = int(unmark_labels(torch.from_numpy(labels))[1].max())
            told.append(
                PackSegment(
                    slot=int(located.slot[number]),
                    source=source.name,
                    kind=source.kind,
                    generation=source.generation,
                    row=int(located.row[number]),
                    start=start,
                    tokens=len(ids),
                    decoding=decodings[mark - 1] if mark else None,
                )
            )
            start += len(ids)
        return told

    def slots_before(self, pack: int) -> int:
        """How many slots of the mixed stream the first `pack` packs hold.

        Raises:
            ArgumentError: There are not so many packs.
        """
        hint = "give the number of packs shown so far"
        return int(self._starts[whole_number("pack", pack, least=0, most=len(self), hint=hint)])

    def report(self, packs: int | None = None) -> MixReport:
        """What the first packs show, row by row: that of the mixed stream.

        Args:
            packs: Number of packs shown so far. None for all.

        Raises:
            ArgumentError: There are not so many packs.
        """
        return self.guard.report(self.slots_before(len(self) if packs is None else packs))

    def check_loader(self, loader: "DataLoader[Any]") -> None:
        """Refuse a loader that will not read the packs in order, before it has read anything.

        Raises:
            MixOrderError: Its sampler is none that is known to keep the order.
            ArgumentError: Its collator is TRL's and forgets where segments begin.
        """
        check_loader(loader)
        if getattr(loader.collate_fn, "padding_free", True) is False:
            raise bad_argument(
                "loader",
                expected="a collator that keeps the segments of packs apart",
                given=type(loader.collate_fn).__name__,
                hint="set SFTConfig(padding_free=True, packing=False, max_length=None)",
            )

    def _checked(self, pack: int) -> int:
        number = operator.index(pack)
        if not 0 <= number < len(self):
            raise IndexError(f"pack {shown(pack)} is not from 0 to {len(self) - 1}")
        return number

    def _slots(self, pack: int) -> npt.NDArray[np.int64]:
        return np.arange(self._starts[pack], self._starts[pack + 1])

    def _read(self, packs: Sequence[int]) -> list[dict[str, Any]]:
        slots = [self._slots(pack) for pack in packs]
        segments = iter(self._segments(np.concatenate(slots)))
        return [pack_of([next(segments) for _ in each]) for each in slots]

    def _segments(self, slots: npt.NDArray[np.int64]) -> list[Segment]:
        rows = self.guard.read(slots)
        columns = rows.unread_columns if isinstance(rows, TokenBatch) else None
        if columns is not None:
            # Arrays as they are: making lists of them first takes twice the time.
            rows = [
                dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)
            ]
        return [segment_of(row, self._length) for row in rows]

    def _tokens_of(
        self, sources: npt.NDArray[np.int64], rows: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.int64]:
        tokens = np.zeros(len(rows), dtype=np.int64)
        for source, counts in enumerate(self._tokens):
            chosen = sources == source
            tokens[chosen] = counts[rows[chosen]]
        return tokens

    def _lengths(self) -> Iterator[int]:
        """Tokens of the row in each slot."""
        for start in range(0, len(self.guard), _SLOTS_AT_A_TIME):
            slots = np.arange(start, min(start + _SLOTS_AT_A_TIME, len(self.guard)))
            _, source, row, _ = self.guard.locate(slots)
            yield from self._tokens_of(source, row).tolist()

    def _check_lengths(self, counts: Sequence[npt.NDArray[np.int32]], longer: Longer) -> None:
        counts_tokens = self.guard.report(0).token_floor is not None
        for source, tokens in zip(self.guard.sources, counts, strict=True):
            longest = int(tokens.max())
            if longest > self._length and (longer == "error" or counts_tokens):
                hint = "cut the rows before they are mixed, or give a larger length"
                if not counts_tokens:
                    hint += '; longer="truncate" keeps their first tokens'
                raise bad_argument(
                    "length",
                    expected=f"room for the longest row of {source.name!r}, which has {longest} "
                    "tokens",
                    given=self._length,
                    hint=hint,
                )
