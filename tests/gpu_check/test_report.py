"""What the results of a GPU look like, to programs and to people."""

import json
import math
from pathlib import Path

import pytest

from tests.gpu_check.report import Outcome, Report, markdown_table

MACHINE = {"device": "NVIDIA H100 80GB HBM3", "driver": "580", "date": "2026-11-26"}

OUTCOMES = [
    Outcome(
        "one",
        "a claim with a | in it",
        "passed",
        12.3,
        {"it is so": True},
        {
            "count": 1234567,
            "share": 0.012345,
            "nothing": math.nan,
            "steps": [{"way": "plain", "ms": 1.0}, {"way": "ours", "ms": math.inf}],
        },
    ),
    Outcome("two", "another", "failed", 1.0, {"a": True, "b": False}),
    Outcome("three", "a third", "failed", reason="ValueError: broken", trace="Traceback\n  line"),
    Outcome("four", "a fourth", "not run", reason="no time"),
]

REPORT = Report(MACHINE, False, OUTCOMES)


def table_lines(text: str) -> list[list[str]]:
    """The cells of each line that belongs to a table."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [
        [cell.strip() for cell in line.replace("\\|", "/").removesuffix("|").split("|")[1:]]
        for line in lines
    ]


def test_a_report_is_json() -> None:
    read = json.loads(REPORT.to_json(), parse_constant=pytest.fail)
    assert read["machine"] == MACHINE
    assert [check["status"] for check in read["checks"]] == [
        "passed",
        "failed",
        "failed",
        "not run",
    ]
    figures = read["checks"][0]["figures"]
    assert figures["count"] == 1234567
    assert figures["nothing"] is None
    assert figures["steps"] == [{"way": "plain", "ms": 1.0}, {"way": "ours", "ms": None}]
    assert read["checks"][2]["trace"].startswith("Traceback")


def test_a_report_is_read_by_people() -> None:
    text = REPORT.to_markdown()
    assert "NVIDIA H100 80GB HBM3" in text.splitlines()[0]
    lines = table_lines(text)
    assert ["two", "failed", "1", "another"] in lines
    assert ["count", "1,234,567"] in lines
    assert ["plain", "1"] in lines
    assert "- **not so**: b" in text
    assert "ValueError: broken" in text
    assert "Traceback\n  line" in text
    # Every row of the first table has as many cells as its title.
    assert {len(line) for line in lines[: 2 + len(OUTCOMES)]} == {4}


def test_a_line_says_why() -> None:
    assert [outcome.line for outcome in OUTCOMES] == [
        "one: passed (12 s)",
        "two: failed (1 s): not so: b",
        "three: failed (0 s): ValueError: broken",
        "four: not run (0 s): no time",
    ]


@pytest.mark.parametrize(
    ("outcomes", "failed"),
    [([], False), (OUTCOMES[:1], False), (OUTCOMES[3:], False), (OUTCOMES[:2], True)],
)
def test_it_fails_where_a_check_does(outcomes: list[Outcome], failed: bool) -> None:
    assert Report(MACHINE, False, outcomes).failed == failed


def test_both_are_written_side_by_side(tmp_path: Path) -> None:
    path = tmp_path / "new" / "h100.json"
    Report(MACHINE, True, OUTCOMES[:1]).write(path)
    REPORT.write(path)
    assert path.read_text(encoding="utf-8") == REPORT.to_json()
    assert path.with_suffix(".md").read_text(encoding="utf-8") == REPORT.to_markdown()
    assert sorted(each.name for each in path.parent.iterdir()) == ["h100.json", "h100.md"]


def test_a_trial_says_that_it_is_one() -> None:
    assert "the figures say nothing" in Report(MACHINE, True, []).to_markdown()


def test_numbers_are_short_and_whole() -> None:
    table = markdown_table([{"a": 12345.678, "b": 0.00001234, "c": True, "d": [1.5, 2]}])
    assert table.splitlines()[-1] == "| 12,346 | 1.234e-05 | yes | 1.5, 2 |"


def test_a_table_has_every_column() -> None:
    assert table_lines(markdown_table([{"a": 1}, {"b": 2, "a": 3}])) == [
        ["a", "b"],
        ["---", "---"],
        ["1", ""],
        ["3", "2"],
    ]
