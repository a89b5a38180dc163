"""Mixed streams with something to report."""

from typing import Any

from collapse_guard import Decoding
from collapse_guard.human_text.reference import HumanReference
from collapse_guard.mixing import MixGuard, MixStream, RareBoost, Source
from tests.mixing.conftest import make_rows
from tests.mixing.streams import Rows

HUMAN = [{"input_ids": [0, number % 100]} for number in range(200)]


SYNTHETIC = make_rows(2, 300)


def make_guard(reference: HumanReference, **settings: Any) -> MixGuard:
    arguments: dict[str, Any] = {
        "human_fraction": 0.3,
        "block_size": 8,
        "boost": RareBoost(3.0, by=reference),
        "epochs": 3,
    } | settings
    return MixGuard(HUMAN, SYNTHETIC, **arguments)


def several_sources(**settings: Any) -> MixGuard:
    """Two of each kind, a floor that changes within an epoch, and quality."""
    arguments: dict[str, Any] = {
        "human_fraction": [(0.4, 0.75), (1.0, 0.25)],
        "block_size": 8,
        "length": 160,
        "epochs": 3,
        "boost": RareBoost(3.0, by=lambda row: row["input_ids"][1]),
    } | settings
    return MixGuard(
        [
            Source(make_rows(0, 50), "wiki", "human", licence="CC-BY-SA-4.0"),
            Source(make_rows(1, 70), "news", "human", weight=2, min_fraction=0.125),
        ],
        [
            Source(make_rows(2, 60), "one", "synthetic", generation=1, max_repeats=8),
            Source(make_rows(3, 40), "two", "synthetic", generation=2, when_dry="human"),
            Source(make_rows(4, 20), "too", "synthetic", generation=2, quality=[1.0, 0.25] * 10),
        ],
        **arguments,
    )


def licensed(**settings: Any) -> MixGuard:
    """Two human sources and one of a model, each with what a card tells of it."""
    arguments: dict[str, Any] = {"human_fraction": 0.3, "block_size": 8} | settings
    model = [{**row, "labels": row["input_ids"]} for row in make_rows(2, 50)]
    human = [{**row, "labels": row["input_ids"]} for row in make_rows(1, 50)]
    return MixGuard(
        [
            Source(human, "web | <b>", "human", licence="CC-BY-4.0"),
            Source(human, "books", "human", licence="MIT"),
        ],
        Source(
            model,
            "model",
            "synthetic",
            generation=1,
            licence="apache-2.0",
            decoding=Decoding(0.8, top_p=0.95),
        ),
        **arguments,
    )


def streamed() -> MixStream:
    """A stream, which does not know how many rows its sources have."""
    return MixStream(Rows(1, 50), Rows(2, 50), human_fraction=0.25, block_size=8, length=64)
