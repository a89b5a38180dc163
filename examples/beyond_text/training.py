"""Training an autoencoder on a mix through Lightning's Trainer, watched or not."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from collapse_guard import CollapseMonitor, MixGuard
from collapse_guard.alerts.sinks import tell_nobody
from collapse_guard.callbacks.lightning.callback import CollapseGuard
from collapse_guard.examples.beyond_text.autoencoder import Autoencoder
from collapse_guard.extras import require

require("lightning", "lightning")

from lightning.pytorch import LightningModule, Trainer  # noqa: E402

BATCH = 64
"""Images of a step."""


class Training(LightningModule):
    """Trains an autoencoder by the evidence lower bound.

    Args:
        autoencoder: Trained in place.
        learning_rate: Of Adam.
        seed: Of the noise.
    """

    def __init__(self, autoencoder: Autoencoder, learning_rate: float, seed: int) -> None:
        super().__init__()
        self.autoencoder = autoencoder
        self._learning_rate = learning_rate
        self._noise = torch.Generator().manual_seed(seed)

    def training_step(self, batch: dict[str, Any], batch_idx: int) -> torch.Tensor:
        """Minus the evidence lower bound, in nats an image."""
        images = batch["image"].float()
        noise = torch.randn(len(images), 1, self.autoencoder.latents, generator=self._noise)
        bound: torch.Tensor = self.autoencoder(images, noise).mean()
        return -bound

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam, fused: layers are small, and its steps are most of the time otherwise."""
        return torch.optim.Adam(self.autoencoder.parameters(), lr=self._learning_rate, fused=True)


def train(
    model: Autoencoder,
    mix: MixGuard,
    *,
    learning_rate: float,
    seed: int,
    monitor: CollapseMonitor | None = None,
) -> None:
    """Train a model on all slots of a mix, in their order.

    Args:
        model: Trained in place.
        mix: Rows with an `image`.
        learning_rate: Of Adam.
        seed: Of the noise.
        monitor: Looks at the model on the way; None for nobody.
    """
    # "raise", since results without the alerts would be wrong.
    watching = (
        [] if monitor is None else [CollapseGuard(monitor, sink=tell_nobody, on_error="raise")]
    )
    with _quiet():
        trainer = Trainer(
            accelerator="cpu",
            max_epochs=1,
            callbacks=list(watching),
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            # The order of the mix is the plan: dealing its rows out anew would break the floor.
            use_distributed_sampler=False,
        )
        trainer.fit(
            Training(model, learning_rate, seed),
            torch.utils.data.DataLoader(mix, batch_size=BATCH),
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what Lightning says about devices, and about loaders without workers."""
    said_by = logging.getLogger("lightning.pytorch")
    level = said_by.level
    said_by.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The '\\w+' does not have many workers")
            warnings.filterwarnings("ignore", ".isinstance.treespec, LeafSpec.. is deprecated")
            yield
    finally:
        said_by.setLevel(level)
