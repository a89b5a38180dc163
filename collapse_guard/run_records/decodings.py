"""How sources were drawn, and how that was found, in the first line of a run's file."""

import math
from dataclasses import replace
from typing import Any

from collapse_guard.finder.search import DecodingSearch, DecodingTrial
from collapse_guard.finder.source_decoding import SourceDecoding
from collapse_guard.model.decoding import PLAIN, Decoding
from collapse_guard.statistics.json_forms import LARGEST, Part

MOST_TRIALS = 64
"""Trials of a search that are written down: the best of them, and plain text."""


def decoding_values(drawn: SourceDecoding) -> dict[str, Any]:
    """How the rows of a source were drawn, in plain JSON types."""
    return {
        "source": drawn.source,
        "decoding": None if drawn.decoding is None else drawn.decoding.to_dict(),
        "search": None if drawn.search is None else _search_values(drawn.search),
    }


def decoding_of(part: Part) -> SourceDecoding:
    """What `decoding_values` gave.

    Raises:
        ArgumentError: It is no such thing.
    """
    parts = part.keys("source", "decoding", "search")
    decoding, search = parts["decoding"], parts["search"]
    return SourceDecoding(
        parts["source"].text(),
        None if decoding.value is None else _decoding(decoding),
        None if search.value is None else _search(search),
    )


def _search_values(search: DecodingSearch) -> dict[str, Any]:
    kept = search.trials[:MOST_TRIALS]
    kept += tuple(each for each in (search.best, search.plain) if each not in kept)
    values = replace(search, trials=kept).to_dict()
    # What follows from the rest is not said twice.
    del values["told_apart_from_plain"], values["verdict"]
    for trial in values["trials"]:
        del trial["told_apart"]
        low, high = trial["interval"]
        trial["interval"] = [_finite_or(low, "-inf"), _finite_or(high, "inf")]
        trial["standard_error"] = _finite_or(trial["standard_error"], "inf")
    return values


def _finite_or(value: float, otherwise: str) -> float | str:
    """JSON has no number for what is not known, or is infinite."""
    return value if math.isfinite(value) else otherwise


def _search(part: Part) -> DecodingSearch:
    parts = part.keys("decoding", "trials", "nll_before", "documents", "steps", "seconds", "notes")
    trials = tuple(_trial(each) for each in parts["trials"].items(most=MOST_TRIALS + 2))
    decoding, tried = _decoding(parts["decoding"]), [trial.decoding for trial in trials]
    parts["trials"].check(
        {decoding, PLAIN} <= {*tried}, "those of what was found and of plain text"
    )
    return DecodingSearch(
        decoding,
        trials,
        nll_before=parts["nll_before"].number(),
        documents=parts["documents"].whole(least=2),
        steps=parts["steps"].whole(),
        seconds=parts["seconds"].number(least=0.0),
        notes=tuple(each.text() for each in parts["notes"].items()),
    )


def _trial(part: Part) -> DecodingTrial:
    parts = part.keys("decoding", "steps", "human_nll", "standard_error", "difference", "interval")
    low, high = (_number(each) for each in parts["interval"].items(2))
    difference = parts["difference"].number()
    parts["interval"].check(low <= difference <= high, "an interval around the difference")
    return DecodingTrial(
        _decoding(parts["decoding"]),
        parts["steps"].whole(least=1),
        parts["human_nll"].number(),
        _number(parts["standard_error"], least=0.0),
        difference,
        (low, high),
    )


def _number(part: Part, *, least: float = -LARGEST) -> float:
    """A number, which may be infinite."""
    if isinstance(part.value, str):
        return float(part.text(among=["inf", "-inf"]))
    return part.number(least=least)


def _decoding(part: Part) -> Decoding:
    parts = part.keys("temperature", "top_k", "top_p", "min_p", "order")
    cuts = {name: parts[name] for name in ("top_k", "top_p", "min_p")}
    given: dict[str, Any] = {
        name: each.number() for name, each in cuts.items() if each.value is not None
    }
    if "top_k" in given:
        given["top_k"] = cuts["top_k"].whole(least=1)
    order = tuple(each.text() for each in parts["order"].items(len(cuts)))
    parts["order"].check(sorted(order) == sorted(cuts), f"each of {', '.join(cuts)} once")
    for name in {"top_p", "min_p"} & {*given}:
        given[name] = cuts[name].number(least=0.0, most=1.0)
    if "top_p" in given:
        cuts["top_p"].check(given["top_p"] > 0, "a share above 0")
    temperature = parts["temperature"].number(least=0.0)
    parts["temperature"].check(temperature > 0, "a number above 0")
    return Decoding(temperature, order=order, **given)
