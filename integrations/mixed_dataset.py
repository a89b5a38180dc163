"""A mixed stream as a Hugging Face `Dataset`, for trainers that take nothing else."""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, NoReturn, Self, TypeVar

import numpy as np

from collapse_guard.arguments import a, checked
from collapse_guard.errors import MixOrderError, bad_argument
from collapse_guard.extras import require
from collapse_guard.mixing.guard import MixGuard
from collapse_guard.mixing.loaders.order_check import OrderCheck
from collapse_guard.mixing.loaders.single_reads import SingleReads
from collapse_guard.mixing.packing.packed_mix import PackedMix
from collapse_guard.rows.marks import TAKEN_OUT, Marks
from collapse_guard.rows.row_check import RowCheck
from collapse_guard.rows.row_source import RowSource, another_number
from collapse_guard.rows.token_counts import row_tokens

require("datasets", "huggingface")

import datasets  # noqa: E402

_SLOTS_AT_A_TIME = 1 << 20
_PACKS_AT_A_TIME = 1024

_Kind = TypeVar("_Kind", bound=datasets.Dataset)


def _if_it_keeps_the_rows(name: str) -> Callable[..., Any]:
    """A method of `datasets.Dataset` whose result must have one row for each, and is watched on."""
    method = getattr(datasets.Dataset, name)

    @wraps(method)
    def kept(self: "MixedDataset", *args: Any, **kwargs: Any) -> "MixedDataset":
        return self._same_rows(method(self._unguarded(), *args, **kwargs))

    return kept


class MixedDataset(datasets.Dataset):  # type: ignore[misc]
    """The rows of a `MixGuard`, slot by slot, as a `datasets.Dataset` that keeps their order.

    Made by `as_hf_dataset`. It may be tokenized, cast and formatted, and lose or gain
    columns; the result is a `MixedDataset` again. What would void the floor of human rows is
    refused: loaders that read out of order, as for `MixGuard` itself; `select`, `shuffle`, `sort`,
    `shard` and splits; a `filter` that drops rows; a `map` that does not give one row for each,
    such as packing. Out of its sight are a `map` that puts the rows of a batch into another order,
    and what leaves it for another data set: `to_iterable_dataset`, `save_to_disk`,
    `concatenate_datasets`.
    """

    marks: Marks | None = None
    """What has marked the labels of rows; None where they are not marked."""

    counts_tokens: bool = False
    """Whether the floor counts tokens, or rows are packs: no row may then become shorter."""

    guard: MixGuard | None = None
    """The mixed stream that the rows are of; None in copies and in other processes."""

    @classmethod
    def of(
        cls,
        rows: datasets.Dataset,
        marks: Marks | None = None,
        *,
        counts_tokens: bool = False,
        guard: MixGuard | None = None,
    ) -> Self:
        """A data set of which row i belongs into slot i.

        Args:
            rows: The rows.
            marks: What has marked their labels; None where they are not marked.
            counts_tokens: Whether rows must keep their tokens.
            guard: The mixed stream that they are of.
        """
        mixed = _remade(cls, rows)
        mixed._order = OrderCheck(len(rows))
        mixed._singles = SingleReads(len(rows))
        mixed.marks, mixed.counts_tokens, mixed.guard = marks, counts_tokens, guard
        return mixed

    def __getstate__(self) -> dict[str, Any]:
        # Each change of columns makes a copy, and none of them needs the sources once more.
        return {**self.__dict__, "guard": None}

    def __getitems__(self, keys: list[int]) -> list[Any]:
        """The rows of one batch; torch's loaders call this with all of its slots.

        Raises:
            MixOrderError: The batch is out of order; says what to set.
            ArgumentError: Labels are marked, and no loss knows what the marks mean; or a transform
                made more rows than it was given, or fewer.
        """
        if len(keys):
            self._order.check(keys)
            if self.marks is not None:
                self.marks.check_known()
        rows: list[Any] = super().__getitems__(keys)
        if len(rows) != len(keys):
            raise another_number("rows", asked=len(keys), given=len(rows))
        return rows

    def __getitem__(self, key: Any) -> Any:
        """As `datasets.Dataset.__getitem__`; in order where a loader asks for single rows.

        Raises:
            MixOrderError: A loader reads a data set around this one out of order.
        """
        if isinstance(key, int) and 0 <= key < len(self):
            self._singles.check(key)
        return super().__getitem__(key)

    add_column = _if_it_keeps_the_rows("add_column")
    add_item = _if_it_keeps_the_rows("add_item")
    filter = _if_it_keeps_the_rows("filter")
    map = _if_it_keeps_the_rows("map")
    repeat = _if_it_keeps_the_rows("repeat")

    def save_to_disk(self, *args: Any, **kwargs: Any) -> None:
        """As `datasets.Dataset.save_to_disk`; what is loaded again is an ordinary data set."""
        self._unguarded().save_to_disk(*args, **kwargs)

    def select(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refused, and with it all that selects: `shuffle`, `sort`, `shard`, `take`, splits.

        Raises:
            MixOrderError: Always.
        """
        raise MixOrderError(
            "rows of a MixedDataset would be selected, sorted or shuffled, so its floor of human "
            "rows would not hold: it is shuffled already. Do it with the human and the synthetic "
            "rows before they are mixed, and leave out shuffle_dataset=True."
        )

    def _unguarded(self) -> datasets.Dataset:
        return _remade(datasets.Dataset, self)

    def _same_rows(self, rows: datasets.Dataset) -> Self:
        # TRL's packing leaves this column behind. It may fill as many rows as there were before.
        packed = "seq_lengths" in rows.column_names and "seq_lengths" not in self.column_names
        if packed or len(rows) != len(self):
            raise MixOrderError(
                f"the {len(self)} rows of a MixedDataset would become {len(rows)}, so it could not "
                "be said which of them are human, nor would their floor hold. Filter, split or "
                "pack the human and the synthetic rows each by themselves before they are mixed, "
                "and set packing=False."
            )
        if self.counts_tokens and not _as_long(self, rows):
            raise MixOrderError(
                "rows of a MixedDataset would be cut, and the human share of their tokens, which "
                "its floor counts, would be another. Cut the human and the synthetic rows before "
                "they are mixed, and set max_length=None."
            )
        return type(self).of(rows, self.marks, counts_tokens=self.counts_tokens, guard=self.guard)


def _as_long(before: datasets.Dataset, after: datasets.Dataset) -> bool:
    """Whether rows have as many tokens as they had, where they had some."""
    if "input_ids" not in before.column_names or "input_ids" not in after.column_names:
        return True
    tokens = [row_tokens(RowSource("rows", rows)) for rows in (before, after)]
    return np.array_equal(tokens[0], tokens[1])


def _remade(kind: type[_Kind], rows: datasets.Dataset) -> _Kind:
    """The same rows in a data set of this class."""
    remade: _Kind = kind(
        rows.data,
        info=rows.info,
        split=rows.split,
        indices_table=rows._indices,
        fingerprint=rows._fingerprint,
    )
    remade.set_format(**rows.format)
    return remade


@checked(
    guard=a(
        MixGuard,
        PackedMix,
        expected="a MixGuard, or a PackedMix",
        hint="a MixStream cannot be asked by number",
    )
)
def as_hf_dataset(guard: MixGuard | PackedMix) -> MixedDataset:
    """A mixed stream as a Hugging Face `Dataset`, for trainers that take nothing else (TRL's).

    Row i belongs into slot i. Rows of Hugging Face data sets are not copied: the data set holds 8
    bytes for each slot. Others are copied into memory once. It keeps its order, refuses what would
    void the floor, and must be read in order too: `train_sampling_strategy="sequential"`,
    `packing=False`.

    A `PackedMix` becomes a data set of its packs, copied into memory (12 bytes a token): for TRL
    with `padding_free=True`, `packing=False` and `max_length=None`.

    Args:
        guard: The mixed stream, or its packs.

    Returns:
        A data set of `len(guard)` rows.

    Raises:
        ArgumentError: Rows have no column names, or not all the same.

    Example:
        >>> rows = [{"text": "a"}, {"text": "b"}]
        >>> guard = MixGuard(rows, rows, human_fraction=0.5, block_size=2)
        >>> as_hf_dataset(guard)["text"][:] == [guard[slot]["text"] for slot in range(4)]
        True
    """
    if isinstance(guard, PackedMix):
        mix = guard.guard
        return MixedDataset.of(_packs(guard), mix.marks, counts_tokens=True, guard=mix)
    sources: list[Any] = [source.rows for source in guard.sources]
    marks = guard.marks
    if marks is not None:
        sources = [_marked(rows, marks, number) for number, rows in enumerate(sources)]
    features = next((rows.features for rows in sources if hasattr(rows, "features")), None)
    names = [source.name for source in guard.sources]
    parts = [_as_dataset(name, rows, features) for name, rows in zip(names, sources, strict=True)]
    starts = np.cumsum([0, *map(len, parts[:-1])])
    numbers = np.empty(len(guard), dtype=np.int64)
    for start in range(0, len(guard), _SLOTS_AT_A_TIME):
        slots = np.arange(start, min(start + _SLOTS_AT_A_TIME, len(guard)))
        located = guard.locate(slots)
        numbers[slots] = starts[located.source] + located.row
    rows = datasets.concatenate_datasets(parts).select(numbers)
    counts_tokens = guard.report(0).token_floor is not None
    return MixedDataset.of(rows, marks, counts_tokens=counts_tokens, guard=guard)


def _packs(packed: PackedMix) -> datasets.Dataset:
    """The packs as rows, with the columns that TRL's padding-free collator reads."""
    # Marks stand above the 20th bit of a label: more than one of them would be too much for 32.
    types = {"input_ids": "int32", "labels": "int64", "seq_lengths": "int32"}
    features = datasets.Features({n: datasets.List(datasets.Value(t)) for n, t in types.items()})
    parts = []
    for start in range(0, len(packed), _PACKS_AT_A_TIME):
        packs = [packed[pack] for pack in range(start, min(start + _PACKS_AT_A_TIME, len(packed)))]
        columns = {name: [pack[name] for pack in packs] for name in types}
        parts.append(datasets.Dataset.from_dict(columns, features=features))
    return datasets.concatenate_datasets(parts)


def _as_dataset(name: str, rows: Any, features: Any) -> datasets.Dataset:
    if isinstance(rows, datasets.Dataset):
        return rows
    listed = [rows[number] for number in range(len(rows))]
    if not all(isinstance(row, Mapping) for row in listed):
        raise bad_argument(
            "rows",
            expected="rows with column names, for a Hugging Face data set",
            given=listed[0],
            hint="make each row a mapping from column to value",
        )
    # What a row lacks would be filled with nothing.
    RowCheck.of([name], [RowSource(name, listed)])
    return datasets.Dataset.from_list([dict(row) for row in listed], features=features)


def _marked(rows: Any, marks: Marks, source: int) -> Any:
    """The rows of a source with marked labels, and without the columns that they came from."""
    if not isinstance(rows, datasets.Dataset):
        listed = [rows[number] for number in range(len(rows))]
        return marks.mark(listed, np.full(len(listed), source))

    def mark(batch: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
        count = len(batch["input_ids"])
        read = [dict(zip(batch, row, strict=True)) for row in zip(*batch.values(), strict=True)]
        marked = marks.mark(read, np.full(count, source))
        return {name: [row[name] for row in marked] for name in marked[0]}

    plain = rows.with_format(None)
    gone = [name for name in TAKEN_OUT if name in rows.column_names]
    features = datasets.Features({n: f for n, f in rows.features.items() if n not in gone})
    first = marks.mark([plain[0]], np.array([source]))[0]
    # Marks stand above the 20th bit: more than one of them would be too much for 32.
    added = {name: datasets.List(datasets.Value("int64")) for name in first}
    features = datasets.Features(
        {n: features.get(n, added[n]) for n in first} | {"labels": added["labels"]}
    )
    marked = plain.map(mark, batched=True, remove_columns=gone, features=features)
    return marked.with_format(rows.format["type"])
