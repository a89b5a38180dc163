import json
from dataclasses import replace
from typing import Any

import pytest

from collapse_guard import Decoding
from collapse_guard.errors import ArgumentError
from collapse_guard.finder.search import DecodingTrial
from collapse_guard.finder.source_decoding import SourceDecoding
from collapse_guard.run_records.decodings import MOST_TRIALS, decoding_of, decoding_values
from collapse_guard.run_records.lines import line_of
from collapse_guard.statistics.json_forms import Part
from tests.run_records.made import DECODINGS, a_search


def values_of(drawn: SourceDecoding) -> Any:
    return json.loads(line_of(decoding_values(drawn)))


@pytest.mark.parametrize("drawn", DECODINGS)
def test_what_was_given_and_what_was_found_comes_back(drawn: SourceDecoding) -> None:
    assert decoding_of(Part("line", values_of(drawn))) == drawn


def test_an_error_that_nobody_knows_is_an_infinite_one() -> None:
    nan = float("nan")
    search = a_search()
    trials = (*search.trials[:-1], replace(search.trials[-1], standard_error=nan))
    unknown = replace(trials[1], interval=(nan, nan))
    drawn = SourceDecoding("web", None, replace(search, trials=(trials[0], unknown, *trials[2:])))
    assert decoding_of(Part("line", values_of(drawn))).search == search


def test_of_many_trials_the_best_are_written_down_and_plain_text() -> None:
    search = a_search()
    more = [DecodingTrial(Decoding(top_k=k), 12, 4.0, 0.1, 1.0, (0.5, 1.5)) for k in range(2, 2000)]
    plain = search.plain
    trials = (search.best, *more, plain)
    found = decoding_of(
        Part("line", values_of(SourceDecoding("web", None, replace(search, trials=trials))))
    ).search
    assert found is not None
    assert found.trials == (*trials[:MOST_TRIALS], plain)
    assert found.verdict


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("source", 3),
        ("decoding.temperature", 0.0),
        ("decoding.temperature", "hot"),
        ("decoding.top_k", 0.5),
        ("decoding.top_p", 0.0),
        ("decoding.min_p", 1.5),
        ("decoding.order", ["top_k", "top_k", "top_p"]),
        ("decoding.order", "abc"),
        ("decoding", []),
        ("search.trials", []),
        ("search.trials.0.decoding.temperature", 0.31),
        ("search.trials.2.decoding.temperature", 0.31),
        ("search.trials.2.interval", [0.3, 0.1]),
        ("search.trials.2.interval", [0.1]),
        ("search.trials.2.interval", ["low", "high"]),
        ("search.trials.2.interval", [0.25, 0.3]),
        ("search.trials.1.standard_error", -1.0),
        ("search.trials.1.steps", 0),
        ("search.notes", [3]),
        ("search.documents", 1),
        ("search.seconds", None),
    ],
)
def test_what_is_no_decoding_is_refused(path: str, value: Any) -> None:
    values = values_of(DECODINGS[0])
    *inner, last = path.split(".")
    at = values
    for name in inner:
        at = at[int(name)] if isinstance(at, list) else at[name]
    at[int(last) if isinstance(at, list) else last] = value
    with pytest.raises(ArgumentError, match="line"):
        decoding_of(Part("line", values))


def test_too_many_trials_are_refused() -> None:
    values = values_of(DECODINGS[0])
    values["search"]["trials"] *= MOST_TRIALS
    with pytest.raises(ArgumentError, match=f"at most {MOST_TRIALS + 2}"):
        decoding_of(Part("line", values))
