import pytest
from torch.utils.data import DataLoader

from collapse_guard import ArgumentError
from collapse_guard.mixing.loaders.torch_loader import check_torch_loader


def test_a_loader_is_taken() -> None:
    check_torch_loader(DataLoader([1, 2, 3]))


@pytest.mark.parametrize("given", [None, [1, 2], DataLoader, object()])
def test_anything_else_is_refused_by_name(given: object) -> None:
    with pytest.raises(ArgumentError, match="`loader` expected a DataLoader"):
        check_torch_loader(given)
