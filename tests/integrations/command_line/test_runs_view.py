import io

from rich.console import Console

from collapse_guard.integrations.command_line.runs_view import is_alarmed, print_runs, watch_run
from collapse_guard.run_records.record import RunRecord
from tests.run_records.made import a_look, a_record, an_alert


def console() -> Console:
    return Console(file=io.StringIO(), width=80)


def text_of(shown: Console) -> str:
    file = shown.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_each_run_has_a_line_and_its_summary() -> None:
    runs = {
        "[b]one": a_record(a_look(4, 0.5, alerts=(an_alert(4),)), summary=("ALARM at step 4",)),
        "other": a_record(a_look(8, 0.9), summary=("no alarm.",)),
    }
    shown = console()
    print_runs(shown, runs)
    text = text_of(shown)
    assert "[b]one" in text
    assert "ALARM at step 4" in text
    assert "90%" in text
    assert max(map(len, text.splitlines())) <= 80
    assert is_alarmed(runs)
    assert not is_alarmed({"other": runs["other"]})


def test_a_run_is_watched_until_it_ends() -> None:
    states = iter(
        [
            a_record(a_look(0, 1.0)),
            a_record(a_look(0, 1.0), a_look(4, 0.9)),
            a_record(a_look(0, 1.0), a_look(4, 0.9), a_look(8, 0.8), has_ended=True),
        ]
    )

    def read() -> RunRecord:
        return next(states)

    shown = console()
    last = watch_run(shown, read, every=0.0)
    assert last.has_ended
    assert "80%" in text_of(shown)
    assert "ended" in text_of(shown)


def test_once_is_once() -> None:
    shown = console()
    last = watch_run(shown, lambda: a_record(a_look(0, 1.0)), every=60.0, once=True)
    assert not last.has_ended
    assert "running" in text_of(shown)


def test_of_a_long_run_the_start_and_the_last_looks_are_shown() -> None:
    looks = [a_look(step, 1.0) for step in range(0, 1000, 10)]
    shown = console()
    watch_run(shown, lambda: a_record(*looks, has_ended=True), every=0.0)
    text = text_of(shown)
    assert " 0 " in text
    assert " 990 " in text
    assert " 500 " not in text
