"""How decodings were found: the trials of a search, drawn as the curves of a page are."""

from dataclasses import dataclass, replace
from html import escape

from collapse_guard.finder.search import DecodingSearch
from collapse_guard.integrations.plots import figure_svg, plot_decoding_search
from collapse_guard.run_records.record import RunRecord

MOST_DRAWN = 30
"""Trials in a picture, the best ones, and plain text: more would be too small to be read."""


@dataclass(frozen=True)
class TrialsPicture:
    """The trials of the search for one source's decoding.

    Attributes:
        source: The source.
        search: What was found.
        svg: An `<svg>` element that says in words what is to be seen in it.
    """

    source: str
    search: DecodingSearch
    svg: str


def trials_of_run(run: RunRecord) -> tuple[TrialsPicture, ...]:
    """A picture for each source whose decoding was found.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    return tuple(
        TrialsPicture(each.source, each.search, _drawn(each.search))
        for each in run.decodings
        if each.search is not None
    )


def _drawn(search: DecodingSearch) -> str:
    best = [search.best, *(each for each in search.trials if each != search.best)]
    kept = {*best[:MOST_DRAWN], search.plain}
    shown = replace(search, trials=tuple(each for each in search.trials if each in kept))
    told = "; ".join(
        f"{trial.decoding}, after {trial.steps} steps: {trial.difference:.4f} nats a token above "
        f"the best"
        for trial in shown.trials
    )
    opened = f'<svg role="img" aria-label="{escape(f"{search.verdict} {told}")}" '
    return figure_svg(plot_decoding_search(shown)).replace("<svg ", opened, 1)
