"""Generations of an autoencoder, each trained on what its regime makes of the rows at hand."""

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch

from collapse_guard import CollapseMonitor, EveryNSteps
from collapse_guard.alerts.rules import Alert
from collapse_guard.diversity import plug_in_entropy
from collapse_guard.examples.beyond_text.autoencoder import Autoencoder
from collapse_guard.examples.beyond_text.panel import ImagePanel
from collapse_guard.examples.beyond_text.people import (
    CLASSES,
    DIGIT,
    Images,
    Judge,
    Labels,
    People,
    as_rows,
)
from collapse_guard.examples.beyond_text.regimes import REGIMES, Lesson, Rows, mixed
from collapse_guard.examples.beyond_text.training import BATCH, train
from collapse_guard.examples.laboratory.regimes import Recipe


@dataclass(frozen=True)
class Settings:
    """How long, and how much.

    Attributes:
        generations: Including the first, which learns from people alone.
        first_steps: Optimizer steps of the first.
        steps: Of each later one, which goes on with the weights of the one before.
        temperature: Standard deviation of the latents that images are drawn from.
        floor: Of `mixguard`.
        boost: How many times as often it shows human images of rare digits.
        latents: Dimensions of the latent space.
    """

    generations: int = 8
    first_steps: int = 1000
    steps: int = 200
    temperature: float = 0.9
    floor: float = 0.3
    boost: float = 4.0
    latents: int = 8


QUICK = Settings(generations=2, first_steps=60, steps=20)
"""Seconds; too little to show anything."""

MEANINGS: Mapping[str, str] = {
    "drawn_rare_share": "share of rare digits among drawn images, over that in people's",
    "drawn_entropy": "entropy of the digits of drawn images, in bits",
    "drawn_digits": "number of digits among drawn images",
}
"""What is read of the images that a generation draws, beside the readings of the panel."""


@dataclass(frozen=True)
class Generation:
    """What came of one generation.

    Attributes:
        number: From 1, which is the same in all regimes.
        human_share: Of the rows that it was shown.
        readings: Of the panel, and those of `MEANINGS`.
        digits: How many of the images that it drew the judge takes for each digit.
        alerts: What the monitor told while it was trained.
        images: What it drew.
    """

    number: int
    human_share: float
    readings: Mapping[str, float]
    digits: tuple[int, ...]
    alerts: tuple[Alert, ...]
    images: Images


def first_model(people: People, settings: Settings, seed: int) -> Autoencoder:
    """A model that has learned from people's images alone, for all regimes of a seed."""
    # An example may set the global seed: layers are initialised from it.
    torch.manual_seed(seed)
    model = Autoencoder(settings.latents)
    lesson = Lesson(people.rows, people.rows, [], DIGIT, settings.floor, settings.boost)
    recipe = REGIMES["human"](lesson)
    mix = mixed(recipe, batch_size=BATCH, steps=settings.first_steps, seed=seed)
    train(model, mix, learning_rate=2e-3, seed=seed)
    return model


def run_chain(
    people: People,
    regime: Callable[[Lesson], Recipe],
    first: Autoencoder,
    *,
    settings: Settings,
    seed: int,
) -> Iterator[Generation]:
    """The generations of a chain, one by one.

    Args:
        people: Who the images are from.
        regime: What the second generation and later ones learn from.
        first: The first generation, as `first_model` gives it; it is left as it is.
        settings: How long, and how much.
        seed: Of all random numbers: chains of one seed share them.
    """
    model, judge, written = copy.deepcopy(first), Judge(people), list[Rows]()
    generator = torch.Generator().manual_seed(seed)
    panel = ImagePanel(people, latents=settings.latents)
    monitor = _monitor(panel)
    monitor.start(model)
    human_share = 1.0
    for number in range(1, settings.generations + 1):
        if number > 1:
            # The start stays the first generation's, and what rules have spent stays spent.
            monitor = _monitor(panel, continues=monitor)
            lesson = Lesson(
                people.rows, people.rows, written, DIGIT, settings.floor, settings.boost
            )
            mix = mixed(regime(lesson), batch_size=BATCH, steps=settings.steps, seed=seed + number)
            train(model, mix, learning_rate=1.5e-3, seed=seed + number, monitor=monitor)
            human_share = mix.report().human_share
        drawn = model.draw(len(people.images), generator, temperature=settings.temperature)
        images, look = drawn.numpy(), monitor.history[-1]
        digits = judge.digits(images)
        written.append(as_rows(images, digits))
        yield Generation(
            number,
            human_share,
            {name: look[name] for name in look} | _of_drawn(digits, people),
            tuple(np.bincount(digits, minlength=CLASSES).tolist()),
            tuple(monitor.alerts),
            images,
        )


def _of_drawn(digits: Labels, people: People) -> dict[str, float]:
    rare, usual = (float(np.isin(each, people.rare).mean()) for each in (digits, people.digits))
    return {
        "drawn_rare_share": rare / usual,
        "drawn_entropy": plug_in_entropy([digits], budget=len(digits)),
        "drawn_digits": float(len(np.unique(digits))),
    }


def _monitor(panel: ImagePanel, *, continues: CollapseMonitor | None = None) -> CollapseMonitor:
    return CollapseMonitor(panel, pace=EveryNSteps(100), batch_size=256, continues=continues)
