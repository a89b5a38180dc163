"""The ledger's arithmetic against counting, and its file against kills and other files."""

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from collapse_guard.errors import ArgumentError
from collapse_guard.mixing import MixGuard, MixStream, Source
from collapse_guard.mixing.reports.ledger import (
    LEDGER_NAME,
    Shown,
    ledger_of,
    read_ledger,
    slots_shown,
    write_ledger,
)
from tests.mixing.conftest import make_rows


def make_guard(**settings: Any) -> MixGuard:
    arguments: dict[str, Any] = {"human_fraction": 0.3, "block_size": 2, "length": 50} | settings
    return MixGuard(make_rows(1, 20), make_rows(2, 30), **arguments)


def walk(
    steps: int, *, length: int, batch: int, processes: int, accumulation: int, drop_last: bool
) -> list[int]:
    """The slots that a training loop shows, one batch after another, in plain Python."""
    shown: list[int] = []
    rows = batch * processes
    while steps:
        slots = list(range(length))
        if drop_last:
            slots = slots[: length // rows * rows]
        elif processes > 1:
            slots += slots[: -length % rows]
        batches = [slots[start : start + rows] for start in range(0, len(slots), rows)]
        while batches and steps:
            taken, batches = batches[:accumulation], batches[accumulation:]
            shown += [slot for of_batch in taken for slot in of_batch]
            steps -= 1
    return shown


@given(
    steps=st.integers(0, 60),
    batch=st.integers(1, 5),
    processes=st.integers(1, 3),
    accumulation=st.integers(1, 3),
    drop_last=st.booleans(),
)
def test_it_agrees_with_walking_through_the_run(
    steps: int, batch: int, processes: int, accumulation: int, drop_last: bool
) -> None:
    guard = make_guard()
    length, rows = len(guard), batch * processes
    slots = walk(
        steps,
        length=length,
        batch=batch,
        processes=processes,
        accumulation=accumulation,
        drop_last=drop_last,
    )
    shown = slots_shown(
        steps,
        slots_per_batch=rows,
        accumulation=accumulation,
        batches=length // rows if drop_last else -(-length // rows),
        length=length,
        fills_up=processes > 1 and not drop_last,
    )
    ledger = ledger_of(guard, shown, step=steps)
    assert ledger["total"]["slots"] == len(slots)
    located = guard.locate(slots)
    for number, name in enumerate(("human", "synthetic")):
        times = Counter(located.row[located.source == number].tolist())
        counted = ledger["total"]["sources"][name]
        assert counted["shown"] == times.total()
        assert counted["unique"] == len(times)
        if counted["repeated"] is not None:
            assert counted["repeated"] == sum(count > 1 for count in times.values())
        elif not shown.times_filled_up:
            assert shown.passes == 1
    share = located.is_human.mean() if slots else 0.0
    assert ledger["total"]["human_share"] == pytest.approx(share)


def test_it_holds_the_reports_by_source_generation_stratum_and_epoch(tmp_path: Path) -> None:
    guard = MixGuard(
        make_rows(1, 20),
        [
            Source(make_rows(2, 30), "old", "synthetic", 2),
            Source(make_rows(3, 30), "new", "synthetic", 3),
        ],
        human_fraction=0.3,
        block_size=8,
        length=24,
        epochs=3,
    )
    shown = slots_shown(5, slots_per_batch=8, accumulation=1, batches=9, length=72)
    assert shown == Shown(passes=0, slots=40, slots_per_pass=72)
    write_ledger(tmp_path, ledger_of(guard, shown, step=5))
    ledger = json.loads((tmp_path / LEDGER_NAME).read_text())
    assert ledger["pass"] == json.loads(json.dumps(guard.report(40).to_dict()))
    assert ledger["whole_pass"] is None
    assert [epoch["slots"] for epoch in ledger["pass"]["epochs"]] == [24, 16]
    assert {g["generation"] for g in ledger["pass"]["generations"]} == {0, 2, 3}
    assert (ledger["step"], ledger["slots"], ledger["slots_per_pass"]) == (5, 40, 72)


def test_a_stream_without_a_length_has_one_too() -> None:
    stream = MixStream(
        make_rows(1, 20), make_rows(2, 30), human_fraction=0.3, block_size=8, max_repeats=None
    )
    shown = slots_shown(7, slots_per_batch=8, accumulation=3, batches=None, length=None)
    ledger = ledger_of(stream, shown, step=7)
    assert ledger["slots"] == 168
    assert ledger["total"]["sources"]["human"] == {
        "kind": "human",
        "generation": 0,
        "decoding": None,
        "shown": 63,
        "unique": 20,
        "repeated": 20,
    }
    assert ledger["pass"]["is_exact"]


def test_files_and_folders_are_read_back(tmp_path: Path) -> None:
    ledger = ledger_of(make_guard(), Shown(0, 10), step=5)
    path = write_ledger(tmp_path / "run", ledger)
    assert read_ledger(path) == read_ledger(tmp_path / "run") == json.loads(json.dumps(ledger))
    assert [file.name for file in (tmp_path / "run").iterdir()] == [LEDGER_NAME]


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"format": "collapse_guard mix ledger", "version": 2}']
)
def test_other_files_are_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / LEDGER_NAME).write_text(content)
    with pytest.raises(ArgumentError, match="`path` expected a collapse_guard mix ledger"):
        read_ledger(tmp_path)


def test_a_file_that_is_missing_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_ledger(tmp_path / LEDGER_NAME)


def ledgers(*runs: str | None) -> list[dict[str, Any]]:
    return [
        ledger_of(make_guard(), Shown(0, 10 + number), step=5, run=run)
        for number, run in enumerate(runs)
    ]


def test_each_run_has_its_own_file(tmp_path: Path) -> None:
    one, two, one_later, two_later = ledgers("a", "b", "a", "b")
    names = [write_ledger(tmp_path, each).name for each in (one, two, one_later, two_later)]
    assert names == [LEDGER_NAME, "mix_ledger-2.json"] * 2
    assert read_ledger(tmp_path / LEDGER_NAME)["slots"] == 12
    assert read_ledger(tmp_path / "mix_ledger-2.json")["slots"] == 13
    with pytest.raises(ArgumentError, match="expected the ledger of one run"):
        read_ledger(tmp_path)
    assert write_ledger(tmp_path, ledgers("c")[0], replace=True).name == LEDGER_NAME


@pytest.mark.parametrize("there", ["", "{", "{}", "[]"])
def test_what_is_no_ledger_is_written_anew(tmp_path: Path, there: str) -> None:
    (tmp_path / LEDGER_NAME).write_text(there)
    write_ledger(tmp_path, ledgers("a")[0])
    assert read_ledger(tmp_path)["run"] == "a"


def test_runs_that_begin_at_once_have_a_file_each(tmp_path: Path) -> None:
    runs = [str(number) for number in range(12)]
    with ThreadPoolExecutor(12) as pool:
        paths = list(pool.map(lambda each: write_ledger(tmp_path, each), ledgers(*runs)))
    assert sorted(read_ledger(path)["run"] for path in paths) == sorted(runs)
    assert len(list(tmp_path.iterdir())) == 12
