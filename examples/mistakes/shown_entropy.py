"""Table and figure of entropy and reward under reinforcement learning."""

from collections.abc import Mapping
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np

from collapse_guard.examples.mistakes.policy_entropy import (
    CLOSE,
    FRACTIONS,
    close_from,
    fit_law,
    reinforced,
)
from collapse_guard.examples.mistakes.self_training import READINGS
from collapse_guard.examples.mistakes.study import Records, Study
from collapse_guard.examples.over_seeds import over_seeds
from collapse_guard.extras import require
from collapse_guard.integrations.plots import PALETTE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORECASTS = {
    "at_end": "law, at the entropy of the end",
    "exhausted": "law, at no entropy",
    "carried_on": "no law: reward so far",
}
"""Forecasts of the reward at the end, by their name in the records."""


def table(records: Records) -> str:
    """A line for each seed: what happened, from when on it was foreseen, what the readings said."""
    lines = [
        "| seed | reward, first steps | reward at the end | entropy, first steps | at the end | "
        + " | ".join(f"within .05 from ({title})" for title in FORECASTS.values())
        + " |",
        "| --- " * (5 + len(FORECASTS)) + "|",
    ]
    readings = [
        "",
        f"| seed | held-out accuracy before, after | {', '.join(READINGS)} at the end | alarms |",
        "| --- | --- | --- | --- |",
    ]
    all_seeds: list[list[float]] = []
    for seed in dict.fromkeys(each["seed"] for each in records):
        own = [each for each in records if each["seed"] == seed]
        entropy, reward = path(own)
        few = max(1, round(0.1 * len(reward)))
        end = next(each for each in own if "reward_at_end" in each)
        looks = [each for each in own if "look" in each]
        figures = [reward[:few].mean(), end["reward_at_end"]]
        figures += [entropy[:few].mean(), entropy[-few:].mean()]
        all_seeds.append(figures)
        lines.append(
            f"| {seed} | {' | '.join(f'{each:.2f}' for each in figures)} | "
            + " | ".join(_from_when(own, name, end) for name in FORECASTS)
            + " |"
        )
        alarms = "; ".join(f"step {step}: {rule}" for step, rule in end["alerts"]) or "none"
        readings.append(
            f"| {seed} | {end['before']['accuracy']:.2f}, {end['after']['accuracy']:.2f} | "
            f"{', '.join(f'{looks[-1][name]:.2f}' for name in READINGS)} | {alarms} |"
        )
    means = [f"{over_seeds(each):.2f}" for each in zip(*all_seeds, strict=True)]
    lines.append(f"| mean | {' | '.join(means)} |{' |' * len(FORECASTS)}")
    return "\n".join([*lines, *readings]) + "\n"


def draw(records: Records) -> "Figure":
    """Reward over entropy with the law of all steps, both over steps, and the readings."""
    figure = require("matplotlib.figure", "report").Figure(
        figsize=(10.2, 5.6), layout="constrained"
    )
    axes = figure.subplots(2, 3).ravel()
    titles = (
        "reward over entropy; line: law, fitted on all",
        "entropy (nats a character)",
        "reward",
        "law (end's entropy) less reward",
        "predictive entropy, held-out sums",
        "tail retention (dashed: head)",
    )
    across = ("entropy", "step", "step", "share of steps fitted on", "step", "step")
    for each, title, name in zip(axes, titles, across, strict=True):
        each.set_title(title, loc="left", fontsize="medium")
        each.set_xlabel(name)
        each.spines[["top", "right"]].set_visible(False)
        each.grid(axis="y", color="#DDDDDD")
    seeds = list(dict.fromkeys(each["seed"] for each in records))
    for seed, color in zip(seeds, cycle(PALETTE), strict=False):
        own = [each for each in records if each["seed"] == seed]
        _draw_seed(axes, own, color)
    axes[3].axhspan(-CLOSE, CLOSE, color="#DDDDDD")
    axes[1].legend(frameon=False, fontsize="small")
    drawn: Figure = figure
    return drawn


def path(records: Records) -> tuple["np.typing.NDArray[Any]", "np.typing.NDArray[Any]"]:
    """Entropy and reward by step, of one seed's records."""
    steps = [each for each in records if "reward" in each]
    return (
        np.array([each["entropy"] for each in steps]),
        np.array([each["reward"] for each in steps]),
    )


def _draw_seed(axes: Any, own: Records, color: str) -> None:
    entropy, reward = path(own)
    a, b = fit_law(entropy, reward)
    line = np.linspace(entropy.min(), entropy.max(), 50)
    axes[0].plot(entropy, reward, ".", color=color, markersize=3, alpha=0.5)
    axes[0].plot(line, b - a * np.exp(line), color=color)
    axes[1].plot(entropy, color=color, linewidth=1, label=f"seed {own[0]['seed']}")
    axes[2].plot(reward, color=color, linewidth=1)
    end = next(each for each in own if "reward_at_end" in each)
    fits = [each for each in own if "fraction" in each]
    off = [each["at_end"] - end["reward_at_end"] for each in fits]
    axes[3].plot(FRACTIONS, np.clip(off, -0.5, 0.5), ".-", color=color)
    looks = [each for each in own if "look" in each]
    at = [each["look"] for each in looks]
    axes[4].plot(at, [each["predictive_entropy"] for each in looks], color=color)
    axes[5].plot(at, [each["tail_retention"] for each in looks], color=color)
    axes[5].plot(at, [each["head_retention"] for each in looks], "--", color=color)


def _from_when(own: Records, name: str, end: Mapping[str, Any]) -> str:
    fits = [each for each in own if "fraction" in each]
    fractions, said = (np.array([each[key] for each in fits]) for key in ("fraction", name))
    first = close_from(fractions, said, end["reward_at_end"])
    return "never" if first is None else f"{100 * first:.0f}% of the steps"


def _measure(seed: int, quick: bool) -> list[dict[str, Any]]:
    if quick:
        return reinforced(seed, steps=6, prompts=8, base_rows=640)
    return reinforced(seed, steps=300, prompts=32, base_rows=24_000, learning_rate=3e-4)


STUDY = Study(_measure, table, draw)
"""What the command `entropy` does."""
