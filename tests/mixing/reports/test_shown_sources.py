import copy
from pathlib import Path
from typing import Any

import pytest

from collapse_guard.errors import ArgumentError
from collapse_guard.mixing.reports.ledger import Shown, ledger_of, write_ledger
from collapse_guard.mixing.reports.shown_sources import shown_mix
from tests.mixing.reports.mixes import licensed, streamed


def test_a_report_is_told_as_it_is() -> None:
    report = licensed().report(80)
    mix = shown_mix(report)
    assert mix == shown_mix(report.to_dict())
    assert (mix.slots, mix.human_share, mix.floor) == (80, report.human_share, (3, 8))
    for told, source in zip(mix.sources, report.sources, strict=True):
        for field in ("name", "generation", "licence", "rows", "shown", "unique", "repeated"):
            assert getattr(told, field) == getattr(source, field)
        assert told.is_human == (source.kind == "human")
        assert mix.share(told) == source.shown / 80


def test_a_ledger_tells_of_all_passes(tmp_path: Path) -> None:
    guard = licensed()
    ledger = ledger_of(guard, Shown(2, 64, len(guard)), step=9)
    mix = shown_mix(ledger)
    assert mix.slots == 2 * len(guard) + 64
    for told, source in zip(mix.sources, ledger["total"]["sources"].values(), strict=True):
        assert (told.shown, told.unique) == (source["shown"], source["unique"])
    assert [told.licence for told in mix.sources] == ["CC-BY-4.0", "MIT", "apache-2.0"]
    assert [told.rows for told in mix.sources] == [50, 50, 50]
    path = write_ledger(tmp_path, ledger)
    assert shown_mix(path) == shown_mix(str(tmp_path)) == mix


def test_a_stream_does_not_know_its_rows() -> None:
    mix = shown_mix(streamed().report(64))
    assert [(source.rows, source.unique) for source in mix.sources] == [(None, None)] * 2
    assert (mix.human_share, mix.floor) == (0.25, None)


def test_decodings_are_said_in_words() -> None:
    report = licensed().report().to_dict()
    told = [
        (None, ""),
        ("unknown", "unknown"),
        ({"temperature": 1.0, "top_k": None}, "temperature 1.0"),
        ({"temperature": 0.7, "top_p": 0.9, "found_by": {"steps": 4}},
         "temperature 0.7, top_p 0.9 (found by trying)"),
        ([{"temperature": 0.7}, {"temperature": 0.9}], "temperature 0.7; temperature 0.9"),
    ]  # fmt: skip
    for decoding, words in told:
        report["sources"][2]["decoding"] = decoding
        assert shown_mix(report).sources[2].decoding_text == words


def test_the_summary_says_what_was_shown() -> None:
    assert shown_mix(licensed().report(80)).summary == (
        "80 rows as they were shown in training, 37.5% of them human, from 2 human sources and "
        "1 synthetic source. Every block of 8 rows held at least 3 human ones."
    )


def changed(*path: Any, value: Any) -> dict[str, Any]:
    guard = licensed()
    ledger = copy.deepcopy(ledger_of(guard, Shown(1, 64, len(guard)), step=9))
    *most, last = path
    part: Any = ledger
    for step in most:
        part = part[step]
    part[last] = value
    return ledger


@pytest.mark.parametrize(
    "told",
    [
        None,
        3,
        {},
        [],
        {"sources": 3},
        {"sources": [{"name": "a"}]},
        changed("total", "slots", value=3),
        changed("pass", "sources", 0, "shown", value=-1),
        changed("pass", "sources", 0, "licence", value=["MIT"]),
        changed("pass", "sources", 0, "kind", value="robot"),
        changed("version", value=99) | {"sources": None},
    ],
)
def test_what_is_no_report_is_refused(told: Any) -> None:
    with pytest.raises(ArgumentError, match="told"):
        shown_mix(told)


def test_a_path_without_a_ledger_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        shown_mix(tmp_path)
