from pathlib import Path

import numpy as np
import pytest

from collapse_guard.errors import ArgumentError
from collapse_guard.run_records.lines import line_of, look_values, run_values
from collapse_guard.run_records.read import find_records, read_record
from tests.run_records.made import LOST, a_look, a_record, an_alert, written


def test_a_record_comes_back_from_its_file(tmp_path: Path) -> None:
    record = a_record(
        a_look(0, 1.0), a_look(4, 0.9), summary=("fine",), overhead=0.01, has_ended=True
    )
    path = tmp_path / "collapse_run.jsonl"
    path.write_text(written(record))
    back = read_record(path)
    assert [(look.step, look["tail_retention"]) for look in back.looks] == [(0, 1.0), (4, 0.9)]
    assert (back.summary, back.overhead, back.has_ended) == (("fine",), 0.01, True)
    assert (back.rules, back.panel, back.meanings) == (record.rules, record.panel, record.meanings)


@pytest.mark.parametrize("cut", [1, 20, 200])
def test_a_last_line_that_is_cut_short_is_left_out(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "a"
    path.write_text(written(a_record(a_look(0, 1.0), a_look(4, 0.9)))[: -1 - cut])
    assert [look.step for look in read_record(path).looks] == [0]
    path.write_text(written(a_record()))
    assert read_record(path).looks == ()


def test_a_run_that_was_resumed_at_an_earlier_step_goes_on_from_there(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text(
        written(
            a_record(*(a_look(step, kept) for step, kept in ((0, 1), (4, 0.9), (8, 0.8), (6, 0.7))))
        )
    )
    assert [look.step for look in read_record(path).looks] == [0, 4, 6]


def test_of_two_looks_at_one_step_the_later_one_counts_and_alerts_of_both(tmp_path: Path) -> None:
    path = tmp_path / "a"
    small = a_look(4, 0.8, is_full=False, alerts=(an_alert(4), an_alert(4, "other")))
    full = a_look(4, 0.7, alerts=(an_alert(4, "other"), an_alert(4, "third")))
    path.write_text(written(a_record(a_look(0, 1.0), small, full)))
    record = read_record(path)
    assert record.looks[-1]["tail_retention"] == 0.7
    assert [alert.rule for alert in record.alerts] == [
        "tail_retention below 0.85",
        "other",
        "third",
    ]


@pytest.mark.parametrize(
    "content", ["", "\n", "{", "[1]", '{"format": "x"}', "NaN", "\x00\xff", "[" * 100_000]
)
def test_what_is_no_record_is_refused_by_name(tmp_path: Path, content: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(content)
    with pytest.raises(ArgumentError, match=r"a\.jsonl"):
        read_record(path)


def test_a_broken_line_in_the_middle_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    first, *others = written(a_record(a_look(0, 1.0), a_look(4, 0.9))).splitlines(keepends=True)
    path.write_text("".join([first, '{"step": 3}\n', *others]))
    with pytest.raises(ArgumentError, match=r"a\.jsonl, line 2"):
        read_record(path)


def test_the_first_and_the_last_texts_are_known(tmp_path: Path) -> None:
    path = tmp_path / "a"
    lines = [line_of(run_values(a_record()))]
    for step, texts in enumerate([("once",), (), ("then",), ()]):
        look = look_values(a_look(step, 1.0), summary=(), overhead=0.0, texts=texts)
        lines.append(line_of(look))
    path.write_text("".join(lines))
    record = read_record(path)
    assert (record.first_texts, record.last_texts) == (("once",), ("then",))


def test_the_start_is_the_one_that_the_run_goes_on_from(tmp_path: Path) -> None:
    path = tmp_path / "a"

    def read(*starts: tuple[int, float | None]) -> list[float] | None:
        lines = [line_of(run_values(a_record()))]
        for step, logprob in starts:
            given = None if logprob is None else np.array([logprob])
            told = look_values(a_look(step, 1.0), summary=(), overhead=0.0, position_logprobs=given)
            lines.append(line_of(told))
        path.write_text("".join(lines))
        found = read_record(path).position_logprobs
        return None if found is None else found.tolist()

    assert read((0, None), (4, None)) is None
    assert read((0, -1.0), (4, None)) == [-1.0]
    # Taken anew, once the model knew language.
    assert read((0, -1.0), (4, -2.0), (8, None)) == [-2.0]
    # Which a run that was resumed before it has yet to do.
    assert read((0, -1.0), (4, -2.0), (3, None)) == [-1.0]
    assert read((0, -1.0), (4, -2.0), (3, None), (6, -3.0)) == [-3.0]


def test_words_are_lost_at_the_end_and_not_where_a_run_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "a"
    ended = written(a_record(a_look(0, 1.0), a_look(4, 0.9), has_ended=True, lost_words=LOST))
    path.write_text(ended)
    assert read_record(path).lost_words == LOST
    goes_on = line_of(look_values(a_look(6, 0.8), summary=(), overhead=0.0))
    path.write_text(ended + goes_on)
    assert read_record(path).lost_words is None


def test_records_are_found_in_a_folder(tmp_path: Path) -> None:
    for name in ("collapse_run.jsonl", "code_run.jsonl", "collapse-2_run.jsonl", "other.jsonl"):
        (tmp_path / name).write_text("")
    names = [path.name for path in find_records(tmp_path)]
    assert names == ["code_run.jsonl", "collapse-2_run.jsonl", "collapse_run.jsonl"]
    assert find_records(tmp_path / "other.jsonl") == [tmp_path / "other.jsonl"]
    for nothing in (tmp_path / "none", tmp_path / "none.jsonl"):
        with pytest.raises(ArgumentError, match="`RUN`"):
            find_records(nothing)
