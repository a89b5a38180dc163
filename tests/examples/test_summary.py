"""Runs of several seeds in one table."""

from pathlib import Path

import pytest

from collapse_guard.examples.recursive_finetune.summary import COLUMNS, main, summary
from tests.examples.results import collapsed_run


def lines_of(table: str) -> dict[str, list[str]]:
    _, _, *lines = table.splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {f"{row[0]} {row[1]}": row for row in cells}


def test_one_seed_has_errors_over_documents() -> None:
    lines = lines_of(summary([collapsed_run(replace=0.2)], [2]))
    assert lines["`replace` 2"] == [
        "`replace`",
        "2",
        "0.200 ± 0.010",
        "1.100 ± 0.010",
        "110.0 (100.0)",
        "0.10 (0.50)",
        "1.50 / 0.40",
        "2 of 2",
        "1",
    ]
    assert set(lines) == {f"`{name}` 2" for name in ("human", "replace", "mixguard", "guarded")}


def test_several_seeds_have_errors_over_them() -> None:
    # Two values that lie 2d apart have a mean with a standard error of d.
    runs = [collapsed_run(replace=tail, alarm_at=at) for tail, at in ((0.2, 1), (0.3, 2))]
    line = lines_of(summary(runs, [2]))["`replace` 2"]
    assert line[2] == "0.250 ± 0.050"
    assert line[-2:] == ["3 of 4", "2"]


def test_chains_that_are_not_so_far_are_left_out() -> None:
    assert (
        lines_of(summary([collapsed_run()], [2, 3])).keys()
        == lines_of(summary([collapsed_run()], [2])).keys()
    )


def test_the_command_reads_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    collapsed_run().save(tmp_path / "results.json")
    main([str(tmp_path), "--generations", "1", "2"])
    printed = capsys.readouterr().out
    assert printed == summary([collapsed_run()], [1, 2])
    assert all(column in printed for column in COLUMNS)
