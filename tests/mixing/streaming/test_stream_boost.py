"""Rare human rows of a stream are shown in more passes, as a sample says what is rare."""

import pickle
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from collapse_guard.errors import ArgumentError
from collapse_guard.human_text.reference import HumanReference
from collapse_guard.mixing import RareBoost, Source
from collapse_guard.mixing.streaming.stream_boost import boost_of_stream
from tests.mixing.sharded import Shards, make_lanes
from tests.mixing.streams import HUMAN, SYNTHETIC, Rows, make_stream

SOURCES = [Source(Rows(HUMAN, 9), "human", "human")]


class Languages:
    """Of every ten rows one is Welsh and three are French, which the rows before do not say."""

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for number in range(400):
            language = {0: "cy", 1: "fr", 2: "fr", 3: "fr"}.get(number % 10, "en")
            yield {"number": number, "language": language}


def by_number(row: Any) -> float:
    return float(row[1])


def test_a_function_is_cut_at_the_sample_s_quantiles() -> None:
    sample = [(HUMAN, number) for number in range(100)]
    boost = boost_of_stream(RareBoost(4.0, by=by_number, num_strata=4, sample=sample), SOURCES)
    assert boost is not None
    shares = boost.qualities([(HUMAN, number) for number in (0, 30, 60, 90, 10**6, -5)])
    assert shares.tolist() == [0.25, 0.5, 0.75, 1.0, 1.0, 0.25]
    copied = pickle.loads(pickle.dumps(boost))
    assert copied.qualities(sample).tolist() == boost.qualities(sample).tolist()


def test_classes_are_as_rare_as_in_the_sample_and_others_as_the_rarest() -> None:
    boost = boost_of_stream(RareBoost(3.0, by="language", sample=list(Languages())[:50]), SOURCES)
    assert boost is not None
    rows = [{"language": language} for language in ("en", "fr", "cy", "gd")]
    assert boost.qualities(rows) == pytest.approx([1 / 3, 2 / 3, 1, 1])


def test_a_reference_tells_rare_tokens(zipf_reference: HumanReference) -> None:
    sample = [{"input_ids": [token] * 4} for token in range(100)]
    boost = boost_of_stream(RareBoost(2.0, by=zipf_reference, sample=sample), SOURCES)
    assert boost is not None
    shares = boost.qualities([{"input_ids": [token] * 4} for token in (0, 50, 99)])
    assert shares[0] == 0.5
    assert shares[0] < shares[1] < shares[2] == 1.0


def test_passes_show_what_was_asked_for() -> None:
    synthetic = [{"number": 0, "language": "en"}] * 4000
    boost = RareBoost(3.0, by="language", sample=list(Languages())[:50])
    stream = make_stream(Languages(), synthetic, boost=boost, max_repeats=6)
    times = Counter(row["number"] for row in stream if row["number"])
    of_language = {"cy": 6, "fr": 4, "en": 2}
    for row in list(Languages())[1:380]:
        assert times[row["number"]] == of_language[row["language"]]


def test_quality_and_boost_multiply() -> None:
    def half(row: Any) -> float:
        return 0.5

    boost = RareBoost(2.0, by=by_number, num_strata=2, sample=[(1, n) for n in range(100)])
    human = Source(Shards(HUMAN, 96), "human", "human", quality=half)
    synthetic = Source(Shards(SYNTHETIC, 480), "model", "synthetic", quality=half)
    stream = make_lanes(human, synthetic, boost=boost, length=9600, max_repeats=None)
    shown = Counter(stream)
    common, rare = (
        np.mean([shown[HUMAN, number] for number in numbers])
        for numbers in (range(50), range(50, 96))
    )
    assert 1.9 < rare / common < 2.1
    # Synthetic rows are not boosted.
    times = [shown[SYNTHETIC, number] for number in range(480)]
    assert np.ptp(times) <= 2


@pytest.mark.parametrize(
    ("boost", "message"),
    [
        (RareBoost(2.0, by=by_number), "`boost` expected a RareBoost with a sample"),
        (3.0, "`boost` expected a RareBoost with a sample"),
        (RareBoost(2.0, by=[1.0, 2.0], sample=[(1, 1), (1, 2)]), "`by` expected a HumanReference"),
        (RareBoost(2.0, by=by_number, sample=[]), "`sample` expected from 1"),
        (RareBoost(2.0, by=by_number, sample=3), "`sample` expected rows"),  # type: ignore[arg-type]
        (RareBoost(2.0, by="topic", sample=[{"text": "a"}]), "`by` expected one of the columns"),
    ],
)
def test_boosts_that_cannot_work(boost: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        make_stream(boost=boost)


def test_rows_by_number_are_left_to_the_guard() -> None:
    boost = RareBoost(2.0, by=by_number, sample=[(1, 1), (1, 2)])
    with pytest.raises(ArgumentError, match="boost 'human' with MixGuard"):
        make_stream([(1, 1), (1, 2)], boost=boost)


def test_a_row_without_the_column_is_named() -> None:
    boost = RareBoost(2.0, by="language", sample=list(Languages())[:50])
    with pytest.raises(ArgumentError, match="`by` expected a column of each row"):
        list(make_stream([Source(Texts(), "texts", "human")], boost=boost))


class Texts:
    def __iter__(self) -> Iterator[dict[str, str]]:
        yield {"text": "a"}
