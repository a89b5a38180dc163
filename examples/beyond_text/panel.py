"""Held-out images as a panel that scores itself: those of rare digits are its tail."""

import hashlib
import math
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch

from collapse_guard.examples.beyond_text.people import People
from collapse_guard.model.forward import device_of

SAMPLES = 16
"""Importance samples of each image."""


class ImagePanel:
    """Each held-out image is a document of one position: what the model gives all of its pixels.

    That is the importance-weighted bound on its log-likelihood (Burda, Grosse and Salakhutdinov,
    arXiv 1509.00519), in nats per pixel, with noise that is drawn once: two looks differ by what
    the model has become. `tail_retention` is then the share of a pixel's probability, as a
    geometric mean over pixels and images of rare digits, that is left.

    Args:
        people: Whose held-out images these are.
        latents: Dimensions of the noise.
        seed: Of the noise.
    """

    def __init__(self, people: People, *, latents: int, seed: int = 0) -> None:
        generator = torch.Generator().manual_seed(seed)
        self._images = torch.from_numpy(people.held_out).float()
        self._noise = torch.randn(len(self._images), SAMPLES, latents, generator=generator)
        is_rare = torch.from_numpy(np.isin(people.held_out_digits, people.rare))[:, None]
        self.document_ids = torch.arange(len(self._images))
        self.positions = torch.ones_like(is_rare)
        self.tail_positions, self.head_positions = is_rare, ~is_rare
        self.num_documents = len(self._images)
        content = (self._images, self._noise, is_rare)
        whole = b"".join(each.numpy().tobytes() for each in content)
        self.fingerprint = hashlib.sha256(whole).hexdigest()[:16]

    def __len__(self) -> int:
        return self.num_documents

    @cached_property
    def position_counts(self) -> dict[str, npt.NDArray[np.float64]]:
        """As of `Panel`."""
        bands = {"all": self.positions, "tail": self.tail_positions, "head": self.head_positions}
        return {name: at.sum(1).double().numpy() for name, at in bands.items()}

    def log_probs(self, model: torch.nn.Module, windows: torch.Tensor) -> torch.Tensor:
        """As of `ScoresItself`: nats per pixel of each image, of shape (images, 1)."""
        device = device_of(model)
        images = self._images[windows].to(device)
        log_weights: torch.Tensor = model(images, self._noise[windows].to(device))
        bound = log_weights.logsumexp(1) - math.log(SAMPLES)
        return bound[:, None] / images.shape[1]
