"""What a session writes down, and that it never costs a run anything."""

from pathlib import Path
from typing import Any

import pytest

from collapse_guard.callbacks.run_recorder import record_run
from collapse_guard.run_records.read import read_record
from tests.callbacks.loops import ALWAYS_BROKEN, NUM_WINDOWS, monitor_of, session_of, train
from tests.tiny import perturb, tiny_gpt2


def test_a_file_says_what_was_looked_at_and_what_came_of_it(tmp_path: Path) -> None:
    session = session_of(monitor_of(rules=[ALWAYS_BROKEN]), sink=lambda alert: None)
    recorder = record_run(session, tmp_path)
    train(session)
    assert recorder.path == tmp_path / "collapse_run.jsonl"
    record = read_record(recorder.path)
    history = session.monitor.history
    assert [look.step for look in record.looks] == [look.step for look in history]
    for look, known in zip(history, record.looks, strict=True):
        assert dict(known) == pytest.approx(dict(look), nan_ok=True)
    assert record.alerts == tuple(session.monitor.alerts)
    assert record.rules == (ALWAYS_BROKEN,)
    assert record.has_ended
    assert record.summary[0].startswith("kept")
    assert record.panel is not None
    assert record.panel.windows == NUM_WINDOWS


def test_some_of_what_it_writes_is_written_down(tmp_path: Path) -> None:
    class Spelling:
        def decode(self, ids: list[int]) -> str:
            if self.knows is not None and max(ids) >= self.knows:
                raise IndexError("no such token")
            return " ".join(map(str, ids))

        knows: int | None = None

    tokenizer: Any = Spelling()
    session, model = session_of(on_error="report"), tiny_gpt2()
    recorder = record_run(session, tmp_path, tokenizer=tokenizer)
    session.start(model)
    perturb(model, 0.3)
    session.look(model, 2)
    # As where a vocabulary has outgrown its tokenizer.
    tokenizer.knows = 1
    session.look(model, 4)
    written = session.monitor.written
    assert recorder.path is not None
    assert written is not None
    record = read_record(recorder.path)
    assert [look.step for look in record.looks] == [0, 2, 4]
    assert len(record.first_texts) == len(record.last_texts) == 4
    assert record.first_texts != record.last_texts
    assert record.last_texts[0] == " ".join(map(str, written.free[0].tolist()))


def test_it_can_be_read_while_the_run_goes_on(tmp_path: Path) -> None:
    session = session_of()
    recorder = record_run(session, tmp_path)
    model = tiny_gpt2()
    session.start(model)
    session.look(model, 2)
    assert recorder.path is not None
    record = read_record(recorder.path)
    assert ([look.step for look in record.looks], record.has_ended) == ([0, 2], False)


def test_small_looks_are_written_down_where_they_are_logged(tmp_path: Path) -> None:
    session = session_of(monitor_of({1: 2, 2: 2, 4: NUM_WINDOWS, 6: 2}), log_every_n_steps=None)
    recorder = record_run(session, tmp_path)
    train(session)
    assert recorder.path is not None
    steps = [(look.step, look.is_full) for look in read_record(recorder.path).looks]
    assert (4, True) in steps
    assert len([full for _, full in steps if not full]) <= 1


def test_another_run_in_the_folder_has_a_file_of_its_own(tmp_path: Path) -> None:
    paths = []
    for seed in range(2):
        session = session_of()
        recorder = record_run(session, tmp_path)
        train(session, model=tiny_gpt2(seed=seed))
        paths.append(recorder.path)
    assert [path.name for path in paths if path] == ["collapse_run.jsonl", "collapse-2_run.jsonl"]
    # And so has more training in the same session.
    train(session)
    assert recorder.path == tmp_path / "collapse-3_run.jsonl"


def test_a_run_that_is_resumed_goes_on_with_its_file(tmp_path: Path) -> None:
    session, model = session_of(), tiny_gpt2()
    record_run(session, tmp_path)
    session.start(model)
    session.look(model, 3)
    state = session.state_dict()
    session.look(model, 6)
    resumed = session_of()
    recorder = record_run(resumed, tmp_path)
    resumed.load_state_dict(state)
    train(resumed, model=model, first=4)
    assert recorder.path == tmp_path / "collapse_run.jsonl"
    record = read_record(recorder.path)
    steps = [look.step for look in record.looks]
    assert steps[:2] == [0, 3]
    assert steps == sorted(set(steps))
    assert record.has_ended


def test_a_folder_that_cannot_be_written_to_ends_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    weights: list[Any] = []
    for folder in (None, tmp_path / "file"):
        session = session_of(on_error="report")
        if folder is not None:
            record_run(session, folder)
        model = tiny_gpt2()
        train(session, model=model)
        weights.append([parameter.detach().clone() for parameter in model.parameters()])
    assert "writing down a look" in caplog.text
    assert all(one.equal(other) for one, other in zip(*weights, strict=True))
