"""A mixed stream for Lightning, which makes it fit the Trainer that it is given to."""

from collections.abc import Iterator, Mapping
from typing import Any

from collapse_guard.arguments import whole_number
from collapse_guard.errors import bad_argument
from collapse_guard.extras import require
from collapse_guard.mixing.floor import HumanFraction
from collapse_guard.mixing.guard import MixGuard
from collapse_guard.mixing.loaders.block_of import replica_of

require("lightning", "lightning")

from lightning.pytorch import LightningDataModule  # noqa: E402
from torch.utils.data import DataLoader, DistributedSampler  # noqa: E402

_OURS = ("dataset", "batch_size", "shuffle", "sampler", "batch_sampler", "drop_last", "in_order")


class MixDataModule(LightningDataModule):
    """Human and synthetic rows for `trainer.fit(module, data)`, with a floor of human rows.

    The `MixGuard` is made when training begins: its block is the global batch, batch size times
    devices times accumulated batches, and it has as many epochs as the Trainer, each in an order of
    its own. On several devices its loader deals rows out in order; nothing need be set for it.

    Args:
        human: As of `MixGuard`.
        synthetic: As of `MixGuard`.
        human_fraction: As of `MixGuard`.
        batch_size: Rows of a batch of one device, at least 1.
        loader: More settings of the `DataLoader`, such as `collate_fn` and `num_workers`.
        rest: More settings of the `MixGuard`.

    Attributes:
        mix: The `MixGuard`; None before training begins.

    Raises:
        ArgumentError: The loader is to read in an order of its own; and, as training begins, what
            `MixGuard` refuses.

    Example:
        >>> rows = [{"input_ids": [row]} for row in range(8)]
        >>> data = MixDataModule(rows, rows, human_fraction=0.5, batch_size=4)
        >>> data.mix is None
        True
    """

    def __init__(
        self,
        human: Any,
        synthetic: Any,
        *,
        human_fraction: HumanFraction,
        batch_size: int,
        loader: Mapping[str, Any] | None = None,
        **rest: Any,
    ) -> None:
        super().__init__()
        hint = "give the rows of one device's batch"
        self._batch_size = whole_number("batch_size", batch_size, least=1, hint=hint)
        self._loader = {} if loader is None else loader
        if not isinstance(self._loader, Mapping) or not self._loader.keys().isdisjoint(_OURS):
            raise bad_argument(
                "loader",
                expected=f"settings of a DataLoader by name, without {', '.join(_OURS)}",
                given=loader,
                hint='give e.g. {"collate_fn": MixCollator(), "num_workers": 2}',
            )
        self._sources = (human, synthetic)
        self._settings = {"human_fraction": human_fraction, **rest}
        self.mix: MixGuard | None = None

    def setup(self, stage: str) -> None:
        """Make the mix, once it is known what trains on it; Lightning calls this."""
        if stage == "fit":
            self.mix = MixGuard.for_trainer(
                *self._sources, self.trainer, batch_size=self._batch_size, **self._settings
            )

    def train_dataloader(self) -> DataLoader[Any]:
        """What the Trainer reads; Lightning calls this after `setup`."""
        trainer = self.trainer
        if self.mix is None or trainer is None:
            raise bad_argument(
                "trainer",
                expected="a Trainer that trains on the data module",
                given=None,
                hint="call trainer.fit(module, data)",
            )
        sampler = _EpochSlots(self.mix, *replica_of(trainer))
        # Of a run that is resumed, rows are read before Lightning says which epoch it is.
        sampler.set_epoch(trainer.current_epoch)
        return DataLoader(self.mix, self._batch_size, sampler=sampler, **self._loader)


class _EpochSlots(DistributedSampler[Any]):
    """One process's slots of one epoch, in order; Lightning says which epoch it is."""

    def __init__(self, mix: MixGuard, num_replicas: int, rank: int) -> None:
        super().__init__(mix, num_replicas, rank, shuffle=False)
        self._slots = len(mix) // mix.epochs
        self._epochs = mix.epochs

    def __iter__(self) -> Iterator[int]:
        start = self.epoch % self._epochs * self._slots
        return iter(range(start + self.rank, start + self._slots, self.num_replicas))

    def __len__(self) -> int:
        return self._slots // self.num_replicas
