"""A variational autoencoder of small grey images."""

import math

import torch

from collapse_guard.examples.beyond_text.people import LEVELS

PIXELS = 64


class Autoencoder(torch.nn.Module):
    """A variational autoencoder (Kingma and Welling, arXiv 1312.6114) of grey levels.

    Latents are normal. Given them, pixels are independent, each binomial of `LEVELS` draws, which
    makes what it gives an image a probability, and no density.

    Args:
        latents: Dimensions of the latent space.
        hidden: Units of each of the two hidden layers.
    """

    def __init__(self, latents: int = 8, hidden: int = 128) -> None:
        super().__init__()
        self.latents = latents
        self.encoder = torch.nn.Sequential(
            torch.nn.Linear(PIXELS, hidden),
            torch.nn.SiLU(),
            torch.nn.Linear(hidden, hidden),
            torch.nn.SiLU(),
            torch.nn.Linear(hidden, 2 * latents),
        )
        self.decoder = torch.nn.Sequential(
            torch.nn.Linear(latents, hidden),
            torch.nn.SiLU(),
            torch.nn.Linear(hidden, hidden),
            torch.nn.SiLU(),
            torch.nn.Linear(hidden, PIXELS),
        )

    def forward(self, images: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """The log-weights of importance samples: their log mean exp bounds the log-likelihood.

        Args:
            images: float of shape (images, 64), grey levels from 0 to `LEVELS`.
            noise: float of shape (images, samples, latents), standard normal.

        Returns:
            float of shape (images, samples), in nats: log p(x, z) - log q(z | x). The mean over
            samples is the evidence lower bound.
        """
        mean, log_deviation = self.encoder(images / LEVELS).chunk(2, dim=-1)
        mean, log_deviation = mean[:, None], log_deviation[:, None]
        latent = mean + log_deviation.exp() * noise
        # The constants of both normal laws cancel.
        prior = -0.5 * latent.square().sum(-1)
        posterior = (-0.5 * noise.square() - log_deviation).sum(-1)
        likelihood = _log_binomial(images[:, None], self.decoder(latent)).sum(-1)
        log_weights: torch.Tensor = likelihood + prior - posterior
        return log_weights

    @torch.no_grad()
    def draw(
        self, count: int, generator: torch.Generator, *, temperature: float = 1.0
    ) -> torch.Tensor:
        """Images by the decoder's mean, as such models are shown, and not by its own law.

        Args:
            count: So many.
            generator: Of the latents.
            temperature: Standard deviation of the latents.

        Returns:
            uint8 of shape (count, 64), rounded to whole levels.
        """
        latent = temperature * torch.randn(count, self.latents, generator=generator)
        shares: torch.Tensor = self.decoder(latent).sigmoid()
        return (LEVELS * shares).round().to(torch.uint8)


def _log_binomial(levels: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    full = torch.tensor(float(LEVELS))
    ways = math.lgamma(LEVELS + 1) - torch.lgamma(levels + 1) - torch.lgamma(full - levels + 1)
    return ways + levels * logits - LEVELS * torch.nn.functional.softplus(logits)
