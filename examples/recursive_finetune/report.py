"""The figure and the page about a run, made from its results alone."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from collapse_guard import CollapseProfile, collapse_profile
from collapse_guard.alerts.default_rules import default_rules
from collapse_guard.atomic import write_atomically
from collapse_guard.examples.recursive_finetune.findings import checks, findings
from collapse_guard.examples.recursive_finetune.regimes.registry import REGIMES
from collapse_guard.examples.recursive_finetune.results import GenerationResult, RunResults
from collapse_guard.integrations.plots import figure_png, figure_svg, plot_readings
from collapse_guard.integrations.templates import filled_in

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLES: Mapping[str, str] = MappingProxyType(
    {
        "tail_retention": "Tail retention",
        "head_retention": "Head retention",
        "perplexity": "Perplexity",
        "effective_vocabulary": "Effective vocabulary, types",
        "tail_mass_ratio": "Tail mass ratio",
        "distinct_2": "Distinct-2 of its own text",
    }
)
"""The curves of the figure, in this order, and what stands over them."""

ENTROPIES: Mapping[str, str] = MappingProxyType(
    {
        "predictive_entropy": "Entropy on human text, nats",
        "own_entropy": "Entropy on its own text, nats",
    }
)
"""The curves of the second figure: why a floor of human rows is not enough."""

_MEANINGS: Mapping[str, str] = MappingProxyType(
    {
        "tail_retention": "How much of the probability that the first model gave to the rare words "
        "of unseen human text is left. 1 is all of it.",
        "head_retention": "The same for the commonest words.",
        "perplexity": "How surprised the model is by unseen human text, all words together.",
        "effective_vocabulary": "How many token types it really uses when it predicts human text.",
        "tail_mass_ratio": "Probability that it spreads over rare words, against their true share. "
        "1 is calibrated.",
        "distinct_2": "Share of different token pairs in what it writes by itself, at a fixed "
        "amount of text.",
    }
)


def write_report(results: RunResults, folder: Path) -> list[Path]:
    """Write `collapse.png`, `entropies.png` and `report.html`, a page that needs nothing else.

    Returns:
        The three paths.

    Raises:
        MissingExtraError: matplotlib or jinja2 is not installed.
    """
    figures = [_figure(results, titles) for titles in (TITLES, ENTROPIES)]
    pictures = [folder / "collapse.png", folder / "entropies.png"]
    for picture, figure in zip(pictures, figures, strict=True):
        write_atomically(picture, figure_png(figure))
    page = folder / "report.html"
    write_atomically(page, render(results, *map(figure_svg, figures)))
    return [*pictures, page]


def _figure(results: RunResults, titles: Mapping[str, str]) -> "Figure":
    return plot_readings(
        {
            REGIMES[name].title: [result.as_reading() for result in chain]
            for name, chain in results.regimes.items()
        },
        titles,
        titles=titles,
        colors={regime.title: regime.color for regime in REGIMES.values()},
        rules=default_rules(),
        step="generation",
    )


def render(results: RunResults, svg: str, entropies: str) -> str:
    """The page as HTML.

    Args:
        results: Of the run.
        svg: The figure as an `<svg>` element.
        entropies: The second one, likewise.
    """
    return filled_in(
        Path(__file__).with_name("report.html.j2"),
        results=results,
        regimes={name: REGIMES[name] for name in results.regimes},
        svg=svg,
        entropies=entropies,
        titles=TITLES,
        meanings=_MEANINGS,
        findings=findings(results),
        checks=checks(results),
        profiles={name: _profile(chain) for name, chain in results.regimes.items()},
        texts=_side_by_side(results.regimes),
    )


def _profile(chain: Sequence[GenerationResult]) -> CollapseProfile:
    return collapse_profile([result.as_reading() for result in chain])


def _side_by_side(
    regimes: Mapping[str, Sequence[GenerationResult]],
) -> list[tuple[str, dict[str, str]]]:
    """Texts drawn from the same random numbers: the first model's, and the last one's by regime."""
    starts = next(iter(regimes.values()))[0].texts
    return [
        (start, {name: chain[-1].texts[number] for name, chain in regimes.items()})
        for number, start in enumerate(starts)
    ]
