from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.utilities import CombinedLoader
from torch.utils.data import DataLoader
from torchdata.stateful_dataloader import StatefulDataLoader

from collapse_guard import MixCollator, MixGuard, MixStream, PackedMix
from collapse_guard.errors import MixOrderError
from collapse_guard.integrations import MixDataModule
from tests.callbacks.lightning.runs import QUIET, LanguageModule, every, fit, guarded, make_trainer
from tests.tiny import tiny_gpt2

pytestmark = [
    *QUIET,
    pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that"),
    pytest.mark.filterwarnings("ignore:Your `IterableDataset` has `__len__` defined"),
    pytest.mark.filterwarnings("ignore:'set_vital' is deprecated:UserWarning"),
]

HUMAN, WRITTEN = (
    [{"input_ids": [kind, number, 2, 3]} for number in range(count)]
    for kind, count in ((0, 12), (1, 36))
)
BATCHES = 12


def loader_of_guard(kind: type = DataLoader, workers: int = 0) -> Any:
    mix = MixGuard(HUMAN, WRITTEN, human_fraction=0.25, block_size=4, length=4 * BATCHES)
    return kind(mix, batch_size=4, collate_fn=MixCollator(), num_workers=workers)


def loader_of_packs() -> Any:
    """A pack for each row, so that packs are read as rows are."""
    mix = MixGuard(HUMAN, WRITTEN, human_fraction=0.25, block_size=4, length=4 * BATCHES)
    return DataLoader(PackedMix(mix, 4), batch_size=4, collate_fn=MixCollator())


class ReadAgain:
    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = rows

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.rows)


def loader_of_stream(length: int | None = 4 * BATCHES) -> Any:
    stream = MixStream(
        ReadAgain(HUMAN), ReadAgain(WRITTEN), human_fraction=0.25, block_size=4, length=length
    )
    return DataLoader(stream, batch_size=4, collate_fn=MixCollator())


class Reads(LanguageModule):
    """Keeps what it was trained on."""

    def __init__(self) -> None:
        super().__init__(tiny_gpt2())
        self.rows: list[list[int]] = []
        self.numbers: list[int] = []

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        self.rows += batch["input_ids"].tolist()
        self.numbers.append(batch_idx)
        return super().training_step(batch["input_ids"], batch_idx)


def run(
    folder: Path, loader: Any, callbacks: list[pl.Callback] | None = None, **settings: Any
) -> Reads:
    module = Reads()
    checkpoint = settings.pop("ckpt_path", None)
    others = [guarded(every(4, rules=[]))] if callbacks is None else callbacks
    saver = ModelCheckpoint(
        folder, filename="{step}", every_n_train_steps=5, save_top_k=-1, save_on_exception=True
    )
    settings = {"max_epochs": 1, "use_distributed_sampler": False, **settings}
    trainer = make_trainer(folder, saver, *others, **settings)
    fit(trainer, module, train_dataloaders=loader, ckpt_path=checkpoint)
    return module


MAKERS = {
    "a guard": loader_of_guard,
    "a guard with workers": lambda: loader_of_guard(workers=2),
    "a guard with a state": lambda: loader_of_guard(StatefulDataLoader),
    "packs": loader_of_packs,
    "a stream": loader_of_stream,
    "a stream that ends where its rows do": lambda: loader_of_stream(None),
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_a_run_resumed_in_mid_epoch_reads_what_is_left(
    tmp_path: Path, make: Callable[[], Any]
) -> None:
    whole = run(tmp_path / "whole", make())
    assert len(whole.rows) == 4 * BATCHES
    resumed = run(tmp_path / "resumed", make(), ckpt_path=tmp_path / "whole" / "step=5.ckpt")
    assert resumed.rows == whole.rows[4 * 5 :]
    assert resumed.numbers == whole.numbers[5:]
    assert resumed.losses == whole.losses[5:]
    for name, weight in whole.state_dict().items():
        assert torch.equal(weight, resumed.state_dict()[name])


@pytest.mark.parametrize("workers", [0, 2])
def test_a_data_module_resumed_within_its_second_epoch_reads_what_is_left(
    tmp_path: Path, workers: int
) -> None:
    def data() -> MixDataModule:
        settings: dict[str, Any] = {"human_fraction": 0.25, "length": 4 * BATCHES}
        loader = {"collate_fn": MixCollator(), "num_workers": workers}
        return MixDataModule(HUMAN, WRITTEN, batch_size=4, loader=loader, **settings)

    whole = run(tmp_path / "whole", data(), max_epochs=2)
    assert len(whole.rows) == 2 * 4 * BATCHES
    checkpoint = tmp_path / "whole" / "step=15.ckpt"
    resumed = run(tmp_path / "resumed", data(), max_epochs=2, ckpt_path=checkpoint)
    assert resumed.rows == whole.rows[4 * 15 :]


def test_without_the_callback_the_first_rows_would_come_again(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole", loader_of_guard(), [])
    checkpoint = tmp_path / "whole" / "step=5.ckpt"
    resumed = run(tmp_path / "resumed", loader_of_guard(), [], ckpt_path=checkpoint)
    assert resumed.rows == whole.rows[: len(resumed.rows)]


def test_of_accumulated_batches_too(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole", loader_of_guard(), accumulate_grad_batches=2)
    checkpoint = tmp_path / "whole" / "step=5.ckpt"
    resumed = run(
        tmp_path / "resumed", loader_of_guard(), accumulate_grad_batches=2, ckpt_path=checkpoint
    )
    assert resumed.rows == whole.rows[4 * 10 :]


def test_a_run_that_failed_in_a_batch_goes_on_with_that_batch(tmp_path: Path) -> None:
    class Fails(pl.Callback):
        def on_train_batch_start(self, *given: Any) -> None:
            if given[-1] == 7:
                raise RuntimeError("a machine that went away")

    whole = run(tmp_path / "whole", loader_of_guard())
    with pytest.raises(RuntimeError, match="went away"):
        run(tmp_path / "failed", loader_of_guard(), [guarded(), Fails()])
    checkpoint = tmp_path / "failed" / "step=7.ckpt"
    resumed = run(tmp_path / "resumed", loader_of_guard(), ckpt_path=checkpoint)
    assert resumed.rows == whole.rows[4 * 7 :]


def test_an_epoch_that_is_over_is_not_read_on(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole", loader_of_guard(), max_epochs=2, limit_train_batches=5)
    checkpoint = tmp_path / "whole" / "step=5.ckpt"
    resumed = run(
        tmp_path / "resumed",
        loader_of_guard(),
        max_epochs=2,
        limit_train_batches=5,
        ckpt_path=checkpoint,
    )
    assert resumed.rows == whole.rows[4 * 5 :] == whole.rows[: 4 * 5]


def test_loaders_without_a_mix_stay_as_lightning_has_them(tmp_path: Path) -> None:
    def loader() -> Any:
        return DataLoader(WRITTEN, batch_size=4, collate_fn=MixCollator())  # type: ignore[arg-type]

    run(tmp_path / "whole", loader())
    checkpoint = tmp_path / "whole" / "step=5.ckpt"
    alone = run(tmp_path / "alone", loader(), [], ckpt_path=checkpoint)
    watched = run(tmp_path / "watched", loader(), ckpt_path=checkpoint)
    assert watched.rows == alone.rows
    assert watched.losses == alone.losses


def test_a_place_that_is_known_of_one_loader_only_is_refused(tmp_path: Path) -> None:
    class Pairs(Reads):
        def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
            return super().training_step(batch[0], batch_idx)

    def fit_pair(folder: Path, **arguments: Any) -> None:
        pair = CombinedLoader([loader_of_guard(), loader_of_guard(StatefulDataLoader)])
        saver = ModelCheckpoint(folder, filename="{step}", every_n_train_steps=5, save_top_k=-1)
        trainer = make_trainer(
            folder, guarded(), saver, max_epochs=1, use_distributed_sampler=False
        )
        fit(trainer, Pairs(), train_dataloaders=pair, **arguments)

    fit_pair(tmp_path / "whole")
    with pytest.raises(MixOrderError, match=r"5 batches into an epoch.*StatefulDataLoader"):
        fit_pair(tmp_path / "resumed", ckpt_path=tmp_path / "whole" / "step=5.ckpt")
