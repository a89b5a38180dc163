"""Which loader a read is for."""

from typing import Any

from torch.utils.data import DataLoader, Dataset, IterableDataset

from collapse_guard.mixing.loaders.fetching import Fetching, fetching


class Items(Dataset[Any]):
    def __len__(self) -> int:
        return 6

    def __getitem__(self, item: int) -> Any:
        return fetching()


class Batches(Items):
    def __getitems__(self, items: list[int]) -> list[Any]:
        return [fetching() for _ in items]


class Stream(IterableDataset[Any]):
    def __iter__(self) -> Any:
        return (fetching() for _ in range(6))


def found(data: Any, batch_size: int | None = 3) -> list[Fetching]:
    batches = list(DataLoader(data, batch_size, collate_fn=lambda rows: rows))
    return batches if batch_size is None else [row for batch in batches for row in batch]


def test_each_iteration_has_its_own_and_each_batch_its_list() -> None:
    for data in (Items(), Batches(), Stream()):
        once, again = found(data), found(data)
        assert len({id(each.fetcher) for each in once}) == 1
        assert once[0].fetcher is not again[0].fetcher
        assert once[0].batch is once[2].batch is not once[3].batch
    assert [each.batch for each in found(Items())] == [[0, 1, 2]] * 3 + [[3, 4, 5]] * 3
    assert [each.batch for each in found(Items(), None)] == list(range(6))


def test_nobody_else_fetches() -> None:
    assert fetching() is None
    assert Items()[3] is None
    seen = list(DataLoader(Items(), 3, collate_fn=lambda rows: fetching()))
    assert seen == [None, None]
