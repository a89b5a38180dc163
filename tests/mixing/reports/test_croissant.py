"""The form that the specification asks for.

`mlcroissant` 1.1.1 reads and validates what is made here; it is no package that the tests need.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from collapse_guard.errors import ArgumentError
from collapse_guard.mixing import croissant, write_croissant
from collapse_guard.mixing.reports.ledger import Shown, ledger_of
from tests.mixing.reports.mixes import licensed, streamed

PAGE: dict[str, Any] = {
    "name": "Mine",
    "url": "https://example.org/mine",
    "creator": "Us",
    "published": "2026-01-31",
}


def nodes(part: Any) -> list[dict[str, Any]]:
    """Every mapping in the metadata, the context left out."""
    if isinstance(part, dict):
        inner = [value for key, value in part.items() if key != "@context"]
        return [part, *(node for value in inner for node in nodes(value))]
    return [node for each in part for node in nodes(each)] if isinstance(part, list) else []


def test_all_that_the_specification_requires_is_there() -> None:
    told = croissant(licensed().report(), **PAGE)
    assert told["@type"] == "sc:Dataset"
    assert "http://mlcommons.org/croissant/1.1" in told["conformsTo"]
    for required in ("@context", "name", "description", "license", "url", "creator"):
        assert told[required]
    assert told["datePublished"] == "2026-01-31"
    assert told["creator"] == {"@type": "sc:Organization", "name": "Us"}
    assert told["license"] == ["CC-BY-4.0", "MIT", "apache-2.0"]


def test_every_word_is_of_a_vocabulary_that_the_context_names() -> None:
    told = croissant(licensed().report(), **PAGE)
    context = told["@context"]
    for node in nodes(told):
        for key in node:
            prefix, _, rest = key.partition(":")
            # A record's keys are the names of fields, under `data`, which is plain JSON.
            if not key.startswith(("@", "sources/")) and rest:
                assert context[prefix].startswith("http"), key
    assert context["recordSet"] == "cr:recordSet"
    assert context["data"] == {"@id": "cr:data", "@type": "@json"}


def test_one_node_is_the_data_set() -> None:
    """A reader takes the first that says so for the root, and their order is none."""
    told = croissant(licensed().report(), **PAGE)
    assert len([node for node in nodes(told) if "sc:Dataset" in str(node.get("@type"))]) == 1
    ids = [node["@id"] for node in nodes(told) if "@id" in node and len(node) > 1]
    assert len(ids) == len(set(ids))


def test_the_records_are_the_sources_with_the_types_that_the_fields_say() -> None:
    guard = licensed()
    ledger = ledger_of(guard, Shown(2, 64, len(guard)), step=9)
    (records,) = croissant(ledger, **PAGE)["recordSet"]
    kinds = {"sc:Text": str, "sc:Integer": int, "sc:Float": float}
    fields = {field["@id"]: kinds[field["dataType"]] for field in records["field"]}
    assert records["key"]["@id"] in fields
    for record, (name, source) in zip(
        records["data"], ledger["total"]["sources"].items(), strict=True
    ):
        assert record.keys() == fields.keys()
        assert all(type(value) is fields[key] for key, value in record.items())
        assert record["sources/name"] == name
        assert record["sources/shown"] == source["shown"]
        assert record["sources/share"] == source["shown"] / ledger["total"]["slots"]
    assert records["data"][2]["sources/decoding"] == "temperature 0.8, top_p 0.95"


def test_provenance_leads_from_the_mix_to_its_sources_and_their_models() -> None:
    told = croissant(licensed().report(), **PAGE)
    web, books, model = told["prov:wasDerivedFrom"]
    assert [each["name"] for each in (web, books, model)] == ["web | <b>", "books", "model"]
    assert [each["license"] for each in (web, books, model)] == ["CC-BY-4.0", "MIT", "apache-2.0"]
    assert "prov:wasGeneratedBy" not in web
    assert "generation 1, decoding: temperature 0.8" in model["prov:wasGeneratedBy"]["name"]
    used = [each["@id"] for each in told["prov:wasGeneratedBy"]["prov:used"]]
    assert used == [each["@id"] for each in (web, books, model)]


def test_it_says_whether_any_row_that_was_shown_is_a_models() -> None:
    assert croissant(licensed().report(), **PAGE)["rai:hasSyntheticData"] is True
    assert croissant(licensed().report(0), **PAGE)["rai:hasSyntheticData"] is False


def test_a_stream_leaves_open_what_it_does_not_know() -> None:
    told = croissant(streamed().report(64), description="Ours.", **PAGE)
    assert told["description"] == "Ours."
    record = told["recordSet"][0]["data"][0]
    assert (record["sources/rows"], record["sources/unique"]) == (None, None)
    assert told["license"] == ["unknown"]


def test_it_is_written_as_json(tmp_path: Path) -> None:
    report = licensed().report()
    path = write_croissant(tmp_path / "croissant.json", report, **PAGE)
    assert json.loads(path.read_text(encoding="utf-8")) == croissant(report, **PAGE)


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("name", None),
        ("url", 3),
        ("creator", ["Us"]),
        ("published", "January"),
        ("published", 2026),
        ("description", 3),
    ],
)
def test_what_is_no_text_or_no_day_is_refused(argument: str, value: Any) -> None:
    with pytest.raises(ArgumentError, match=f"`{argument}` expected"):
        croissant(licensed().report(), **{**PAGE, argument: value})
