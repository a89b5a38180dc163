from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import DatasetCard, DatasetCardData
from hypothesis import given, strategies as st

from collapse_guard.errors import ArgumentError
from collapse_guard.mixing import data_card, write_data_card
from tests.mixing.reports.mixes import licensed, streamed


def front_matter(card: str) -> dict[str, Any]:
    """As the Hub reads it."""
    data = DatasetCard(card).data
    assert isinstance(data, DatasetCardData)
    return data.to_dict()


def cells(card: str) -> list[list[str]]:
    """The rows of the table, split where no backslash stands before the bar."""
    lines = [line for line in card.splitlines() if line.startswith("| ")]
    bare = [line.replace(r"\|", "\0") for line in lines]
    return [[cell.strip().replace("\0", "|") for cell in line.split("|")[1:-1]] for line in bare]


def test_every_source_has_a_line_with_what_was_shown_of_it() -> None:
    report = licensed().report()
    header, _, *rows = cells(data_card(report, name="Mine"))
    assert header == [
        "source", "kind", "rows", "shown", "share", "different", "more than once", "generation",
        "licence", "decoding",
    ]  # fmt: skip
    assert len(rows) == len(report.sources)
    for row, source in zip(rows, report.sources, strict=True):
        assert row[1] == source.kind
        assert row[2:4] == [str(source.rows), str(source.shown)]
        assert row[4] == f"{source.shown / report.slots:.1%}"
        assert row[5:9] == [
            str(source.unique), str(source.repeated), str(source.generation), source.licence,
        ]  # fmt: skip
    assert rows[0][0] == "web | &lt;b>"
    assert [row[9] for row in rows] == ["-", "-", r"temperature 0.8, top\_p 0.95"]


def test_the_hub_can_read_the_top() -> None:
    told = front_matter(data_card(licensed().report(), name='A: "mix"\n- of #1'))
    assert told == {
        "pretty_name": 'A: "mix"\n- of #1',
        "license": ["cc-by-4.0", "mit", "apache-2.0"],
        "size_categories": ["n<1K"],
        "tags": ["synthetic", "collapse_guard"],
    }


@pytest.mark.parametrize(
    ("licences", "told"),
    [
        ([None, None, None], {"license": "unknown"}),
        (["MIT", "mit", "MIT"], {"license": "mit"}),
        (["MIT", None, "mit"], {"license": "other", "license_name": "MIT; unknown; mit"}),
        (["Ours: 1.0", "Ours: 1.0", "mit"], {"license": "other", "license_name": "Ours: 1.0; mit"}),
    ],
)
def test_licences_that_the_hub_does_not_know_are_named(
    licences: list[str | None], told: dict[str, str]
) -> None:
    report = licensed().report().to_dict()
    for source, licence in zip(report["sources"], licences, strict=True):
        source["licence"] = licence
    top = front_matter(data_card(report, name="Mine"))
    assert {name: top[name] for name in top if name.startswith("license")} == told


def test_a_stream_says_what_it_does_not_know() -> None:
    card = data_card(streamed().report(64), name="Mine")
    assert "size_categories" not in front_matter(card)
    _, _, human, model = cells(card)
    assert human[2:7] == ["unknown", "16", "25.0%", "unknown", "unknown"]
    assert model[8:] == ["unknown", "unknown"]


def test_rows_of_people_alone_are_not_tagged_synthetic() -> None:
    report = licensed().report(0).to_dict()
    assert front_matter(data_card(report, name="Mine"))["tags"] == ["collapse_guard"]


@pytest.mark.parametrize(
    ("rows", "size"), [(999, "n<1K"), (1000, "1K<n<10K"), (10**9 - 1, "100M<n<1B"), (10**9, "n>1B")]
)
def test_the_size_is_that_of_the_different_rows(rows: int, size: str) -> None:
    report = licensed().report().to_dict()
    for source, unique in zip(report["sources"], (rows, 0, 0), strict=True):
        source["unique"] = unique
    assert front_matter(data_card(report, name="Mine"))["size_categories"] == [size]


def test_it_is_written_whole(tmp_path: Path) -> None:
    report = licensed().report()
    path = write_data_card(tmp_path / "deep" / "README.md", report, name="Mine")
    assert path.read_text(encoding="utf-8") == data_card(report, name="Mine")
    assert [each.name for each in path.parent.iterdir()] == ["README.md"]


def test_a_title_is_text() -> None:
    with pytest.raises(ArgumentError, match="`name` expected a text"):
        data_card(licensed().report(), name=3)  # type: ignore[arg-type]


@given(name=st.text())
def test_any_title_and_any_name_stay_where_they_belong(name: str) -> None:
    report = licensed().report(8).to_dict()
    report["sources"][0]["name"] = name
    card = data_card(report, name=name)
    assert front_matter(card)["pretty_name"] == name
    card.encode()
    assert [len(row) for row in cells(card)] == [10] * 5
