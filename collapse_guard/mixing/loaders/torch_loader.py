"""What is taken for a torch loader."""

from collapse_guard.errors import bad_argument


def check_torch_loader(loader: object) -> None:
    """Refuse what is not read as a `DataLoader` is.

    Args:
        loader: Made by hand, by a Trainer or by accelerate, whose classes differ.

    Raises:
        ArgumentError: It lacks what all of these have.
    """
    if (
        isinstance(loader, type)
        or not all(hasattr(loader, name) for name in ("sampler", "batch_sampler", "dataset"))
        or not isinstance(getattr(loader, "num_workers", None), int)
    ):
        raise bad_argument(
            "loader",
            expected="a DataLoader",
            given=loader,
            hint="give the torch DataLoader that the rows are read with",
        )
