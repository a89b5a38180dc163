"""A section on a run in the card of its model or of its data."""

import math
import re
from typing import Any

from collapse_guard.arguments import a
from collapse_guard.errors import bad_argument
from collapse_guard.extras import require
from collapse_guard.mixing.reports.data_card import data_card
from collapse_guard.mixing.reports.shown_sources import Told
from collapse_guard.monitor.monitor import CollapseMonitor

require("huggingface_hub", "huggingface")

from huggingface_hub import RepoCard  # noqa: E402

_BEGIN, _END = "<!-- collapse_guard begin -->", "<!-- collapse_guard end -->"
_Z95 = 1.96

A_CARD = a(RepoCard, expected="a card of huggingface_hub", hint="give ModelCard.load('README.md')")
A_MONITOR = a(CollapseMonitor, expected="a CollapseMonitor", hint="give that of the run")


def add_model_section(card: Any, monitor: CollapseMonitor, *, mix: Told | None = None) -> None:
    """Put what a run's first and last look read into a model's card, in place of what was there.

    The rest of the card, its metadata included, stays as it is.

    Args:
        card: A `huggingface_hub.ModelCard`; save it afterwards.
        monitor: That of the finished run.
        mix: What it was trained on: the report of a mix, or a ledger, or its path.

    Raises:
        ArgumentError: There is no card, no run, or no such report.
    """
    A_CARD("card", card)
    A_MONITOR("monitor", monitor)
    if monitor.baseline is None or not monitor.history:
        raise bad_argument(
            "monitor", expected="one that has looked", given=monitor, hint="give it after the run"
        )
    last, start = monitor.history[-1], monitor.baseline.readings
    lines = ["## Collapse report", "", f"| reading | start | step {last.step} | 95% interval |"]
    lines.append("| --- | --- | --- | --- |")
    for name, value in last.items():
        low, high = last.interval(name, z=_Z95)
        is_known = not math.isnan(last.standard_errors.get(name, math.nan))
        interval = f"{low:.4g} to {high:.4g}" if is_known else "-"
        began = f"{start[name]:.4g}" if name in start else "-"
        lines.append(f"| {name} | {began} | {value:.4g} | {interval} |")
    told = [f"- step {each.step}, {each.severity}: {each.rule}" for each in monitor.alerts]
    lines += ["", *(["Alerts:", "", *told] if told else ["No alert was raised."])]
    if mix is not None:
        lines += ["", "### Training rows", "", _told(mix)]
    _put(card, "\n".join(lines))


def add_data_section(card: Any, mix: Told) -> None:
    """Put what was shown of each source into a data set's card, in place of what was there.

    Args:
        card: A `huggingface_hub.DatasetCard`; save it afterwards.
        mix: As `add_model_section` has it.

    Raises:
        ArgumentError: There is no card, or no such report.
    """
    A_CARD("card", card)
    _put(card, f"## What was shown\n\n{_told(mix)}")


def _told(mix: Told) -> str:
    try:
        whole = data_card(mix, name="mix")
    except OSError as error:
        raise bad_argument(
            "mix",
            expected="the report of a mix, or a ledger, or its path",
            given=mix,
            hint="give mixed.report(), or the folder that holds mix_ledger.json",
        ) from error
    # Without its metadata and title, which are those of a card of its own.
    return whole.split("\n# mix\n", 1)[1].strip()


def _put(card: Any, section: str) -> None:
    whole = f"{_BEGIN}\n{section}\n{_END}"
    pattern = re.compile(f"{re.escape(_BEGIN)}.*?{re.escape(_END)}", re.DOTALL)
    if pattern.search(card.text):
        card.text = pattern.sub(lambda _: whole, card.text, count=1)
    else:
        card.text = f"{card.text.rstrip()}\n\n{whole}\n"
