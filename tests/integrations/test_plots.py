"""Figures of readings: what is in them, and what is refused."""

import math
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from matplotlib.figure import Figure

from collapse_guard.alerts.rules import Threshold
from collapse_guard.errors import ArgumentError
from collapse_guard.finder.search import DecodingSearch, DecodingTrial
from collapse_guard.integrations.plots import (
    figure_png,
    figure_svg,
    plot_decoding_search,
    plot_outlook,
    plot_readings,
)
from collapse_guard.mixing import MixGuard
from collapse_guard.model.decoding import PLAIN, Decoding
from collapse_guard.readings.reading import Reading


def run(start: float, factor: float, *, error: float = 0.01, steps: int = 4) -> list[Reading]:
    return [
        Reading(
            10 * step,
            {"tail_retention": start * factor**step, "perplexity": 50.0 + step},
            {"tail_retention": error, "perplexity": math.nan},
        )
        for step in range(steps)
    ]


def runs() -> dict[str, list[Reading]]:
    return {"human": run(1.0, 1.0), "replace": run(1.0, 0.7)}


def test_every_reading_has_a_panel_and_every_run_a_line() -> None:
    figure = plot_readings(runs(), titles={"perplexity": "Perplexity"}, step="generation")
    tail, perplexity = figure.axes
    assert tail.get_title(loc="left") == "tail_retention"
    assert perplexity.get_title(loc="left") == "Perplexity"
    assert tail.get_xlabel() == "generation"
    for line, (name, readings) in zip(tail.lines, runs().items(), strict=True):
        assert line.get_label() == name
        assert line.get_xdata().tolist() == [reading.step for reading in readings]
        assert line.get_ydata().tolist() == [reading["tail_retention"] for reading in readings]


def test_bands_are_95_percent_intervals() -> None:
    (band, *_) = plot_readings(runs(), ["tail_retention"]).axes[0].collections
    low, high = np.sort(band.get_paths()[0].vertices[:, 1])[[0, -1]]
    assert low == pytest.approx(1 - 1.96 * 0.01)
    assert high == pytest.approx(1 + 1.96 * 0.01)


def test_limits_are_drawn_where_they_are_the_same_for_all() -> None:
    rules = [
        Threshold("tail_retention", below=0.85),
        Threshold("perplexity", above=1.5, relative_to_start=True),
    ]

    def limits(figure: Figure) -> list[list[float]]:
        return [
            [line.get_ydata()[0] for line in axes.lines if line.get_linestyle() == ":"]
            for axes in figure.axes
        ]

    assert limits(plot_readings(runs(), rules=rules)) == [[0.85], [75.0]]
    apart = {**runs(), "other": [Reading(0, {"tail_retention": 1.0, "perplexity": 9.0}, {})]}
    assert limits(plot_readings(apart, rules=rules)) == [[0.85], []]


def test_colours_are_kept_and_filled_up() -> None:
    figure = plot_readings(runs(), colors={"replace": "#ff0000"})
    human, replace = figure.axes[0].lines
    assert replace.get_color() == "#ff0000"
    assert human.get_color() != "#ff0000"


def test_the_outputs_are_what_they_say_and_repeat() -> None:
    assert figure_png(plot_readings(runs())) == figure_png(plot_readings(runs()))
    svg = figure_svg(plot_readings(runs()))
    assert svg == figure_svg(plot_readings(runs()))
    root = ET.fromstring(svg)
    assert root.tag.endswith("svg")
    links = [value for element in root.iter() for name, value in element.items() if "href" in name]
    assert all(link.startswith("#") for link in links)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"runs": {}}, "at least one run"),
        ({"runs": {"human": []}}, "at least one run, and readings in each"),
        ({"names": ["loss"]}, "every look of 'human' holds, but got \\['loss'\\]"),
        ({"names": []}, "readings that every look"),
        ({"columns": 0}, "`columns` expected a whole number from 1"),
    ],
)
def test_bad_arguments_are_named(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        plot_readings(**({"runs": runs()} | wrong))  # type: ignore[arg-type]


def search() -> DecodingSearch:
    cold, cut = Decoding(temperature=0.8), Decoding(top_k=50)
    trials = (
        DecodingTrial(cold, 24, 4.70, 0.03, 0.0, (0.0, 0.0)),
        DecodingTrial(PLAIN, 24, 4.75, 0.03, 0.05, (0.04, 0.06)),
        DecodingTrial(cut, 6, 4.72, 0.03, 0.01, (-0.01, 0.03)),
    )
    return DecodingSearch(cold, trials, 4.69, 96, 300, 60.0)


def test_every_trial_of_a_search_has_its_line_and_interval() -> None:
    (axes,) = plot_decoding_search(search()).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["T 0.8", "T 1", "top-k 50"]
    drawn = {
        container.get_label(): (
            container.lines[0].get_xydata().tolist(),
            [bar[:, 0].tolist() for bar in container.lines[2][0].get_segments()],
        )
        for container in axes.containers
    }
    assert drawn.keys() == {"after 24 steps", "after 6 steps"}
    points, bars = drawn["after 24 steps"]
    assert points == [[0.0, 0.0], [0.05, 1.0]]
    np.testing.assert_allclose(bars, [[0.0, 0.0], [0.04, 0.06]])
    points, bars = drawn["after 6 steps"]
    assert points == [[0.01, 2.0]]
    np.testing.assert_allclose(bars, [[-0.01, 0.03]])
    # The best stands on top.
    assert axes.yaxis_inverted()
    assert figure_png(plot_decoding_search(search())) == figure_png(plot_decoding_search(search()))


def test_an_outlook_is_drawn_with_its_cap_and_the_floors_that_are_named() -> None:
    outlook = MixGuard.plan(human=1e5, synthetic=3e5, tokens=1e6, human_fraction=0.2)
    times, worth = plot_outlook(outlook).axes
    human, synthetic, cap, golden, asked = times.lines
    middle = outlook.at(0.25)
    assert human.get_ydata()[25] == middle.human_times
    assert synthetic.get_ydata()[25] == middle.synthetic_times
    assert cap.get_ydata()[0] == 4
    assert golden.get_xdata()[0] == outlook.golden.human_share
    assert asked.get_xdata()[0] == pytest.approx(0.2)
    shown, counted, *upright = worth.lines
    assert shown.get_ydata()[25] == middle.human_shown
    assert counted.get_ydata()[25] == middle.human_worth
    assert len(upright) == 2


def test_rows_that_there_are_not_leave_a_gap() -> None:
    times, worth = plot_outlook(MixGuard.plan(human=1e5, synthetic=0, tokens=1e5)).axes
    _, synthetic, _ = times.lines
    assert np.isnan(synthetic.get_ydata()[:-1]).all()
    assert synthetic.get_ydata()[-1] == 0
    assert len(worth.lines) == 2


def test_only_an_outlook_is_drawn() -> None:
    with pytest.raises(ArgumentError, match=r"`outlook` expected what MixGuard.plan"):
        plot_outlook({"human": 1})  # type: ignore[arg-type]
