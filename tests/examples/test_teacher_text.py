"""A student of a teacher's text: the table that is made of results, and a whole small run."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from collapse_guard.examples.teacher_text.study import read, table
from tests.examples.topics import topics
from tests.forking import Program
from tests.sizes import sized


def record(seed: int, way: str, perplexity: float, **changes: Any) -> dict[str, Any]:
    return {
        "seed": seed,
        "case": "own text, T 0.8",
        "way": way,
        "decoding": "T 0.8" if way == "true" else "",
        "perplexity_at_start": 105.0,
        "perplexity": perplexity,
        "tail_retention": 0.7,
        "head_retention": 1.1,
        "variety": 0.8,
        **changes,
    }


def test_the_table_has_means_and_their_errors_over_seeds() -> None:
    records = [
        record(0, "plain", 110.0),
        record(1, "plain", 112.0, tail_retention=0.8),
        record(0, "true", 105.5, decoding="T 0.8"),
    ]
    _, _, plain, true = table(records).splitlines()
    # Two values apart by 2d have a standard error of d.
    assert "| 111.0 ± 1.0 (105.0 ± 0.0) | 0.75 ± 0.05 | 1.10 ± 0.00 | 0.80 ± 0.00 | 2 |" in plain
    assert "| true | T 0.8 | 105.5 (105.0) | 0.70 | 1.10 | 0.80 | 1 |" in true


def test_no_results_are_no_records(tmp_path: Path) -> None:
    assert read(tmp_path / "none.jsonl") == []


@pytest.mark.slow
def test_a_run_goes_on_with_what_is_missing(tmp_path: Path) -> None:
    home, other = tmp_path / "home.txt", tmp_path / "other.txt"
    home.write_text("\n\n".join(topics()[::2]), encoding="utf-8")
    other.write_text("\n\n".join(topics()[1::2]), encoding="utf-8")

    def run(*arguments: str) -> str:
        places = ("--dataset", str(home), "--other", str(other), "--output-dir", str(tmp_path))
        errors = tmp_path / "errors.txt"
        program = Program(
            "collapse_guard.examples.teacher_text",
            ["--smoke", *places, *arguments],
            {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")},
            errors,
        )
        printed = program.read(300)
        assert program.wait() == 0, errors.read_text(encoding="utf-8")
        return printed

    cases = ("own text, T 0.6", "human text of another domain")
    run("--cases", cases[0], "--ways", "plain")
    first = read(tmp_path / "results.jsonl")
    assert [(each["case"], each["way"]) for each in first] == [(cases[0], "plain")]
    # A search for the decoding takes most of the time.
    run("--cases", cases[0])
    run("--cases", *cases, *sized(short=("--ways", "plain"), long=()))
    results = read(tmp_path / "results.jsonl")
    assert results[0] == first[0]
    assert {(each["case"], each["way"]) for each in results} == {
        (cases[0], "plain"),
        (cases[0], "true"),
        (cases[0], "found"),
        (cases[1], "plain"),
        *sized(short=[], long=[(cases[1], "found")]),
    }
    assert {each["decoding"] for each in results if each["way"] == "true"} == {"T 0.6"}
    assert all(each["decoding"] for each in results if each["way"] == "found")
    assert (tmp_path / "table.md").read_text(encoding="utf-8").count("\n") == 2 + len(results)
    assert json.dumps(results[-1]) in (tmp_path / "results.jsonl").read_text(encoding="utf-8")
