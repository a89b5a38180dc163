"""A container of rows of one's own is mixed and audited as any other; nothing is registered.

It takes `__len__` and `__getitem__`, as `Rows` in `collapse_guard/rows/row_source.py` says. What
makes it fast is a `__getitems__`, which is then called once a batch, and `column_names`, so that no
row is read to learn its columns. To read a kind of container faster still from inside the package,
as Hugging Face's is, give it a reader beside `collapse_guard/rows/arrow_rows.py` and choose it in
`collapse_guard/rows/batch_reader.py`.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from torch.utils.data import DataLoader

from collapse_guard import MixCollator, MixGuard, MixStream, RareBoost, Source
from collapse_guard.audit import audit_rows
from collapse_guard.errors import ArgumentError


class Shelf:
    """Rows of equally many tokens in one matrix, which counts how often it is asked."""

    column_names = ("input_ids", "topic")

    def __init__(self, mark: int, count: int) -> None:
        self.tokens = np.column_stack([np.full(count, mark), np.arange(count)])
        self.calls: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, row: int) -> dict[str, Any]:
        self.calls["one"] += 1
        return self._row(row)

    def __getitems__(self, rows: Sequence[int]) -> list[dict[str, Any]]:
        self.calls["batch"] += 1
        return [self._row(row) for row in rows]

    def _row(self, row: int) -> dict[str, Any]:
        return {"input_ids": self.tokens[row], "topic": "rare" if row % 10 == 0 else "common"}


class PlainShelf:
    """The least that will do."""

    def __init__(self, mark: int, count: int) -> None:
        self.shelf = Shelf(mark, count)

    def __len__(self) -> int:
        return len(self.shelf)

    def __getitem__(self, row: int) -> dict[str, Any]:
        return self.shelf[row]


@pytest.mark.parametrize("kind", [Shelf, PlainShelf])
def test_it_is_mixed_and_collated(kind: Any) -> None:
    guard = MixGuard(kind(1, 40), kind(2, 60), human_fraction=0.3, block_size=10)
    batches = list(DataLoader(guard, batch_size=10, collate_fn=MixCollator()))
    marks = [batch["input_ids"][:, 0].tolist() for batch in batches]
    assert [row.count(1) for row in marks] == [3] * len(marks)


def test_a_batch_takes_one_call_of_each_source() -> None:
    human, synthetic = Shelf(1, 40), Shelf(2, 60)
    guard = MixGuard(human, synthetic, human_fraction=0.5, block_size=10)
    assert (human.calls, synthetic.calls) == ({}, {})
    for batches, _ in enumerate(DataLoader(guard, batch_size=10, collate_fn=list), start=1):
        assert human.calls == synthetic.calls == {"batch": batches}


def test_its_columns_say_which_rows_are_rare() -> None:
    guard = MixGuard(
        Shelf(1, 100),
        Shelf(2, 100),
        human_fraction=0.5,
        block_size=10,
        length=1000,
        max_repeats=20,
        boost=RareBoost(2.0, by="topic"),
    )
    common, rare = guard.report().source("human").strata
    assert rare.mean / common.mean == pytest.approx(2.0, rel=0.02)


@pytest.mark.parametrize("kind", [Shelf, PlainShelf])
def test_it_is_audited(kind: Any) -> None:
    sources = [
        Source(kind(1, 20), "people", "human"),
        Source(kind(1, 5), "copies", "synthetic"),
        Source(kind(3, 5), "model", "synthetic"),
    ]
    report = audit_rows(sources, near=None)
    assert report.bad_rows("copies").tolist() == [0, 1, 2, 3, 4]
    assert report.bad_rows("model").tolist() == []


def test_a_stream_takes_it_beside_what_can_only_be_iterated_over() -> None:
    class Tap:
        def __iter__(self) -> Iterator[dict[str, Any]]:
            return (Shelf(2, 60)[row] for row in range(60))

    stream = MixStream(Shelf(1, 40), Tap(), human_fraction=0.5, block_size=4)
    marks = [int(row["input_ids"][0]) for row in stream]
    assert len(marks) == 80
    assert all(marks[start : start + 4].count(1) == 2 for start in range(0, 80, 4))


def test_a_container_that_lacks_a_column_is_refused() -> None:
    class Other(Shelf):
        column_names = ("input_ids", "label")

    with pytest.raises(ArgumentError, match=r"only synthetic rows have \['label'\]"):
        MixGuard(Shelf(1, 4), Other(2, 4), human_fraction=0.5, block_size=2)
