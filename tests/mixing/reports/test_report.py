import json
import sys
from typing import Any

import pytest

from collapse_guard.errors import ArgumentError, MissingExtraError
from collapse_guard.human_text.reference import HumanReference
from collapse_guard.mixing import MixGuard, RareBoost
from tests.mixing.conftest import make_rows
from tests.mixing.reports.mixes import make_guard, several_sources


def test_the_text_names_every_figure(zipf_reference: HumanReference) -> None:
    text = str(
        make_guard(
            zipf_reference, boost=RareBoost(3.0, by=zipf_reference, num_strata=2), epochs=1
        ).report()
    )
    assert text.splitlines() == [
        "504 slots, 37.5% human (at least 3 of every 8)",
        "human: 189 shown of 200 rows, 147 different, 42 more than once",
        "  stratum 0 (rarity 2.39 to 7.96): 100 rows, shown 0.47 times each (0 to 1)",
        "  stratum 1 (rarity 8.03 to 8.9): 100 rows, shown 1.42 times each (1 to 2)",
        "  the rarest rows shown 3.02 times as often as the commonest, 3.00 asked for",
        "synthetic: 315 shown of 300 rows, 300 different, 15 more than once",
    ]


def test_it_is_plain_data(zipf_reference: HumanReference) -> None:
    report = make_guard(zipf_reference).report(500)
    data = json.loads(json.dumps(report.to_dict()))
    assert data["slots"] == 500
    assert data["human_share"] == report.human_share
    assert [source["name"] for source in data["sources"]] == ["human", "synthetic"]
    assert len(data["sources"][0]["strata"]) == len(report.source("human").strata)
    assert [part["slots"] for part in data["epochs"]] == [500]


@pytest.mark.parametrize("slots", [-1, 10**6, 1.5])
def test_slots_that_do_not_exist_are_refused(zipf_reference: HumanReference, slots: Any) -> None:
    with pytest.raises(ArgumentError, match="`slots` expected a whole number from 0 to"):
        make_guard(zipf_reference).report(slots)


def test_generations_add_up_their_sources() -> None:
    report = several_sources().report()
    assert [part.generation for part in report.generations] == [0, 1, 2]
    for part in report.generations:
        sources = [s for s in report.sources if s.generation == part.generation]
        for field in ("rows", "shown", "unique", "repeated"):
            assert getattr(part, field) == sum(getattr(source, field) for source in sources)
    lines = str(report).splitlines()
    assert lines[0].endswith("(at least 2 of every 8)")
    assert str(report.generations[2]) in lines
    assert lines[-1].startswith("epoch 2: 160 slots; wiki ")


def test_one_epoch_of_one_source_of_each_kind_is_three_lines() -> None:
    guard = MixGuard(make_rows(0, 5), make_rows(1, 5), human_fraction=0.5, block_size=2)
    assert len(str(guard.report()).splitlines()) == 3


def test_of_many_epochs_the_text_shows_the_last() -> None:
    guard = MixGuard(make_rows(0, 5), make_rows(1, 5), human_fraction=0.5, block_size=2, epochs=30)
    lines = str(guard.report()).splitlines()
    assert lines[3] == "... 20 epochs ..."
    assert [line.partition(":")[0] for line in lines[4:]] == [f"epoch {e}" for e in range(20, 30)]
    assert len(guard.report().to_dict()["epochs"]) == 30


def test_the_frame_has_a_row_for_each_stratum_of_each_part() -> None:
    report = several_sources().report()
    frame = report.as_frame()
    parts = [report.sources, *(part.sources for part in report.epochs)]
    assert len(frame) == sum(len(source.strata) for part in parts for source in part)
    total = frame[frame["epoch"].isna()]
    assert total["shown"].sum() == report.slots
    by_source = total.groupby("source")["unique"].sum()
    assert by_source.to_dict() == {source.name: source.unique for source in report.sources}
    by_epoch = frame.groupby("epoch")["shown"].sum()
    assert by_epoch.to_dict() == {0: 160, 1: 160, 2: 160}
    assert set(frame[frame["source"] == "wiki"]["licence"]) == {"CC-BY-SA-4.0"}
    assert str(frame["epoch"].dtype) == "Int64"


def test_a_frame_without_pandas_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtraError, match=r"collapse_guard\[huggingface\]"):
        several_sources().report().as_frame()


def test_a_source_is_found_by_its_name() -> None:
    report = several_sources().report()
    assert report.source("news") == report.sources[1]
    with pytest.raises(KeyError, match="sports"):
        report.source("sports")


class TestTokens:
    def guard(self, **settings: Any) -> MixGuard:
        rows = [{"input_ids": [1] * 6}] * 30
        return MixGuard(rows, rows, human_fraction=0.25, block_size=8, length=8, **settings)

    def test_a_floor_of_tokens_is_reported_in_tokens(self) -> None:
        report = self.guard(unit="tokens").report()
        assert str(report).splitlines() == [
            "8 slots, 25.0% human and 25.0% of their tokens "
            "(at least 25.0% of any stretch, less 5 tokens)",
            "human: 2 shown of 30 rows, 2 different, 0 more than once, 10 tokens",
            "synthetic: 6 shown of 30 rows, 6 different, 0 more than once, 30 tokens",
        ]
        told = json.loads(json.dumps(report.to_dict()))
        assert told["human_token_share"] == report.human_token_share == 0.25
        assert told["token_floor"] == {"share": 0.25, "longest_row": 5}
        assert [source["tokens"] for source in told["sources"]] == [10, 30]

    def test_a_floor_of_rows_says_nothing_of_tokens(self) -> None:
        report = self.guard().report()
        assert report.human_token_share is report.token_floor is None
        assert "token" not in str(report)
