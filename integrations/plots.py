"""Curves of readings, trials of a search, and what a mix would show, drawn with matplotlib.

It comes with `pip install "collapse_guard[report]"`.
"""

import io
from collections.abc import Iterable, Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np

from collapse_guard.alerts.rules import Threshold
from collapse_guard.arguments import a, listed, many, optional, text, understood, whole_number
from collapse_guard.errors import bad_argument
from collapse_guard.extras import require
from collapse_guard.finder.search import DecodingSearch
from collapse_guard.mixing.planning.outlook import MixOutlook
from collapse_guard.readings.reading import Reading

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Told apart by people of any colour vision: Okabe and Ito, 2008, "Color Universal Design".
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")

_Z = 1.96
_PANEL_INCHES = (3.4, 2.5)
_NAMES_ACROSS = {1: 1, 2: 2, 3: 4}
_INK, _FAINT = "#333333", "#DDDDDD"
_STYLE: dict[str, Any] = {
    "font.size": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": _INK,
    "axes.titlesize": 10.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.grid": True,
    "axes.grid.axis": "y",
    "grid.color": _FAINT,
    "grid.linewidth": 0.8,
    "text.color": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "lines.linewidth": 2.0,
    "lines.markersize": 4.0,
    # Same input, same bytes.
    "svg.hashsalt": "collapse_guard",
    "svg.fonttype": "path",
}


def plot_readings(
    runs: Mapping[str, Sequence[Reading]],
    names: Iterable[str] | None = None,
    *,
    titles: Mapping[str, str] | None = None,
    colors: Mapping[str, str] | None = None,
    rules: Iterable[Threshold] = (),
    step: str = "step",
    columns: int = 3,
) -> "Figure":
    """Draw readings over steps: a panel for each reading, a line for each run.

    Bands are 95% confidence intervals, where a reading has a standard error. Limits of rules are
    dotted lines; those relative to the start are drawn where all runs start alike.

    Args:
        runs: For each run, by the name that the legend shows, its readings in order.
        names: Readings to draw; all that the first reading holds, if None.
        titles: Titles of panels by name of the reading; the name itself where there is none.
        colors: Colours of runs by name, as matplotlib takes them; a palette where there is none.
        rules: Whose limits to draw.
        step: What a step is, for the horizontal axis.
        columns: Panels in a row, at least 1.

    Returns:
        A figure, which no global state of matplotlib knows; see `figure_png` and `figure_svg`.

    Raises:
        ArgumentError: No run, a run without readings, or a reading that a run does not have.
        MissingExtraError: matplotlib is not installed.

    Example:
        >>> kept = [Reading(step, {"tail_retention": 0.9**step}, {}) for step in range(5)]
        >>> png = figure_png(plot_readings({"replace": kept}))
    """
    asked = {"expected": "readings by the name of a run", "hint": "give {'run': monitor.history}"}
    with understood("runs", runs, **asked):
        is_one = isinstance(runs, Mapping) and all(
            isinstance(each, Reading) for readings in runs.values() for each in readings
        )
    if not is_one:
        raise bad_argument("runs", given=runs, **asked)
    if not runs or not all(runs.values()):
        raise bad_argument(
            "runs",
            expected="at least one run, and readings in each",
            given={name: len(readings) for name, readings in runs.items()},
            hint="give monitor.history",
        )
    columns = whole_number("columns", columns, least=1, most=100, hint="3 is usual")
    hint = "leave it out"
    if names is not None:
        names = listed("names", names, expected="names of readings", hint=hint)
        many(text(hint=hint), expected="names of readings", hint=hint)("names", names)
    rule = a(Threshold, expected="a Threshold", hint=hint)
    rules = listed("rules", rules, expected="rules", hint=hint)
    many(rule, expected="rules", hint=hint)("rules", rules)
    for argument, by_name in (("titles", titles), ("colors", colors)):
        optional(a(Mapping, expected="texts by name", hint=hint))(argument, by_name)
    text(hint=hint)("step", step)
    first = next(iter(runs.values()))[0]
    wanted = list(first) if names is None else list(names)
    _check_names(runs, wanted)
    palette = dict(zip(runs, cycle(PALETTE), strict=False)) | dict(colors or {})
    with require("matplotlib", "report").rc_context(_STYLE):
        figure, panels = _panels(len(wanted), columns)
        for axes, name in zip(panels, wanted, strict=True):
            for run, readings in runs.items():
                _draw_curve(axes, readings, name, label=run, color=palette[run])
            _draw_limits(axes, [rule for rule in rules if rule.reading == name], runs.values())
            axes.set_title((titles or {}).get(name, name))
            axes.set_xlabel(step)
        handles, labels = panels[0].get_legend_handles_labels()
        # More names side by side than this run out of a figure of so many panels.
        across = min(len(runs), _NAMES_ACROSS[min(columns, len(wanted), 3)])
        figure.legend(handles, labels, loc="outside upper left", ncols=across, frameon=False)
    return figure


def plot_decoding_search(search: DecodingSearch) -> "Figure":
    """Draw how much less likely human text is after each trial of a search than after the best.

    A line for each candidate, the best on top, with its interval of 95% where it has one; a colour
    for each number of steps, since trials of several are compared with the best after as many.

    Args:
        search: What `find_decoding` gave.

    Returns:
        A figure, as of `plot_readings`.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    trials, steps = search.trials, sorted({trial.steps for trial in search.trials}, reverse=True)
    palette = dict(zip(steps, cycle(PALETTE), strict=False))
    figures = require("matplotlib.figure", "report")
    with require("matplotlib", "report").rc_context({**_STYLE, "axes.grid.axis": "x"}):
        width, _ = _PANEL_INCHES
        figure: Figure = figures.Figure(
            figsize=(2 * width, 1.0 + 0.22 * len(trials)), layout="constrained"
        )
        axes: Axes = figure.subplots()
        for number in steps:
            places = [place for place, trial in enumerate(trials) if trial.steps == number]
            shown = [trials[place] for place in places]
            reach = [
                (trial.difference - trial.interval[0], trial.interval[1] - trial.difference)
                for trial in shown
            ]
            axes.errorbar(
                [trial.difference for trial in shown],
                places,
                xerr=np.transpose(reach),
                fmt="o",
                color=palette[number],
                label=f"after {number} steps",
            )
        axes.axvline(0.0, color=_INK, linewidth=1.0, linestyle=":")
        axes.set_yticks(range(len(trials)), [str(trial.decoding) for trial in trials])
        axes.invert_yaxis()
        axes.set_xlabel("nats a token that human text loses beside the best, with 95% intervals")
        figure.legend(loc="outside upper left", ncols=len(steps), frameon=False)
    return figure


def plot_outlook(outlook: MixOutlook) -> "Figure":
    """Draw what each share of human rows would mean: how often rows are seen, and what that costs.

    The first panel has the showings of a row of either kind, with the most that are allowed as a
    dotted line; the second the human tokens that are shown, and as how many fresh ones they count.
    The golden weight, and the floor that was asked about, are upright lines in both.

    Args:
        outlook: What `MixGuard.plan` gave.

    Returns:
        A figure, as of `plot_readings`.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    a(MixOutlook, expected="what MixGuard.plan returns", hint="give that")("outlook", outlook)
    shares = np.linspace(0, 1, 101).tolist()
    floors = [outlook.at(share) for share in shares]
    # A row that there is not, or that is shown too often by far, has no place in the panel.
    most = 3 * outlook.max_repeats
    upright = ((outlook.golden, "golden", PALETTE[4]), (outlook.asked, "asked for", PALETTE[3]))
    with require("matplotlib", "report").rc_context(_STYLE):
        figure, (times, worth) = _panels(2, 2)
        for name, shown, color in (
            ("human", [floor.human_times for floor in floors], PALETTE[0]),
            ("synthetic", [floor.synthetic_times for floor in floors], PALETTE[1]),
        ):
            seen = [np.nan if each is None or each > most else each for each in shown]
            times.plot(shares, seen, color=color, label=name)
        times.axhline(outlook.max_repeats, color=_INK, linewidth=1.0, linestyle=":")
        times.set_title("Times that a row is seen")
        worth.plot(shares, [floor.human_shown for floor in floors], color=_INK, label="shown")
        counted = [np.nan if f.human_worth is None else f.human_worth for f in floors]
        worth.plot(shares, counted, color=PALETTE[2], label="worth, in fresh tokens")
        worth.set_title("Human tokens")
        for axes in (times, worth):
            for floor, name, color in upright:
                if floor is not None:
                    axes.axvline(floor.human_share, color=color, linewidth=1.0, label=name)
            axes.set_xlabel("share of human tokens")
        handles, _ = times.get_legend_handles_labels()
        handles += worth.get_legend_handles_labels()[0][:2]
        figure.legend(handles=handles, loc="outside upper left", ncols=3, frameon=False)
    return figure


def figure_png(figure: "Figure", *, dots_per_inch: int = 150) -> bytes:
    """The figure as the content of a PNG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dots_per_inch, metadata={"Software": None})
    return buffer.getvalue()


def figure_svg(figure: "Figure") -> str:
    """The figure as an `<svg>` element for the inside of an HTML page, without outside links."""
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    with require("matplotlib", "report").rc_context(_STYLE):
        figure.savefig(buffer, format="svg", metadata=nothing)
    element = buffer.getvalue()
    # The XML prologue has no place inside a page.
    return element[element.index("<svg") :]


def _panels(count: int, columns: int) -> "tuple[Figure, list[Axes]]":
    figures = require("matplotlib.figure", "report")
    columns = min(columns, count)
    rows = -(-count // columns)
    width, height = _PANEL_INCHES
    figure: Figure = figures.Figure(
        figsize=(width * columns, height * rows + 0.4), layout="constrained"
    )
    every = figure.subplots(rows, columns, squeeze=False).ravel().tolist()
    for unused in every[count:]:
        unused.remove()
    return figure, every[:count]


def _draw_curve(
    axes: "Axes", readings: Sequence[Reading], name: str, *, label: str, color: str
) -> None:
    steps = [reading.step for reading in readings]
    low, high = np.transpose([reading.interval(name, z=_Z) for reading in readings])
    axes.fill_between(steps, low, high, color=color, alpha=0.15, linewidth=0)
    axes.plot(steps, [reading[name] for reading in readings], "o-", color=color, label=label)
    # A step has no halves.
    axes.xaxis.set_major_locator(require("matplotlib.ticker", "report").MaxNLocator(integer=True))


def _draw_limits(
    axes: "Axes", rules: Iterable[Threshold], runs: Iterable[Sequence[Reading]]
) -> None:
    starts = [readings[0] for readings in runs]
    for rule in rules:
        limits = {rule.limit(start) for start in starts}
        if len(limits) == 1:
            axes.axhline(limits.pop(), color=_INK, linewidth=1.0, linestyle=":")


def _check_names(runs: Mapping[str, Sequence[Reading]], names: Sequence[str]) -> None:
    for run, readings in runs.items():
        missing = [name for name in names if any(name not in reading for reading in readings)]
        if missing or not names:
            raise bad_argument(
                "names",
                expected=f"readings that every look of {run!r} holds",
                given=missing,
                hint=f"choose from {', '.join(readings[0])}",
            )
