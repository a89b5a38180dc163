"""What a session writes down, and that it never costs a run anything."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from collapse_guard.callbacks.run_recorder import record_run
from collapse_guard.human_text.words import decoder
from collapse_guard.readings.lost_words import lost_words
from collapse_guard.readings.panel_logprobs import panel_logprobs
from collapse_guard.run_records.read import read_record
from collapse_guard.run_records.words import ROUNDING
from tests.callbacks.loops import ALWAYS_BROKEN, NUM_WINDOWS, monitor_of, session_of, train
from tests.callbacks.test_summary import Peeking
from tests.run_records.made import CONFIGURATION, DECODINGS
from tests.tiny import BRIEF, perturb, tiny_gpt2, tiny_panel


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
    session, model = session_of(monitor_of(sampling=BRIEF), on_error="report"), tiny_gpt2()
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


# Lost words


class Words:
    """Each token is a word of its own."""

    knows = True

    def decode(self, ids: list[int]) -> str:
        if not self.knows:
            raise IndexError("no such token")
        return "".join(f" {chr(97 + each // 26)}{chr(97 + each % 26)}" for each in ids)


def words() -> Any:
    return Words()


def test_the_words_that_were_lost_are_told_at_the_end(tmp_path: Path) -> None:
    session, model = session_of(), tiny_gpt2()
    recorder = record_run(session, tmp_path, tokenizer=words())
    session.start(model)
    perturb(model, 0.8)
    session.look(model, 3)
    assert recorder.path is not None
    assert read_record(recorder.path).lost_words is None
    session.end(model, 3)
    record, panel = read_record(recorder.path), tiny_panel()
    before, after = (panel_logprobs(each, panel) for each in (tiny_gpt2(), model))
    assert record.position_logprobs == pytest.approx(before, rel=ROUNDING)
    expected = lost_words(panel, decoder(words()), before, after)
    found = record.lost_words
    assert found is not None
    assert found.words
    assert (found.compared, found.halved, found.doubled) == (
        *(expected.compared, expected.halved, expected.doubled),
    )
    assert [each.word for each in found.words] == [each.word for each in expected.words]
    kept = [each.kept for each in expected.words]
    assert [each.kept for each in found.words] == pytest.approx(kept, rel=0.05)
    lines = [json.loads(line) for line in recorder.path.read_text().splitlines()]
    assert ["position_logprobs" in line for line in lines] == [False, True, False, False]
    assert ["lost_words" in line for line in lines] == [False, False, False, True]


def test_a_run_that_is_resumed_knows_its_start(tmp_path: Path) -> None:
    session, model = session_of(), tiny_gpt2()
    record_run(session, tmp_path, tokenizer=words())
    session.start(model)
    state = session.state_dict()
    perturb(model, 0.8)
    resumed = session_of()
    recorder = record_run(resumed, tmp_path, tokenizer=words())
    resumed.load_state_dict(state)
    resumed.start(model, 3)
    resumed.end(model, 4)
    assert recorder.path == tmp_path / "collapse_run.jsonl"
    record = read_record(recorder.path)
    panel = tiny_panel()
    assert record.position_logprobs == pytest.approx(panel_logprobs(tiny_gpt2(), panel), rel=0.01)
    assert record.lost_words is not None
    assert record.lost_words.halved


def test_a_start_that_is_taken_anew_is_the_one_that_words_were_lost_since(tmp_path: Path) -> None:
    session, model = session_of(monitor_of(rules_wait=True, sampling=None)), Peeking()
    recorder = record_run(session, tmp_path, tokenizer=words())
    session.start(model)
    for step, sureness in ((3, 5.0), (6, 1.0)):
        with torch.no_grad():
            model.sureness.fill_(sureness)
        session.look(model, step)
    session.end(model, 6)
    assert recorder.path is not None
    record = read_record(recorder.path)
    with torch.no_grad():
        model.sureness.fill_(5.0)
    known = session.monitor.baseline
    assert known is not None
    assert record.position_logprobs is not None
    rare = record.position_logprobs[tiny_panel().tail_positions[tiny_panel().positions].numpy()]
    assert rare.sum() == pytest.approx(sum(known.tail_logprob), rel=ROUNDING)
    assert record.lost_words is not None
    assert record.lost_words.halved == record.lost_words.compared > 0


@pytest.mark.parametrize("without", ["tokenizer", "start", "words"])
def test_where_words_cannot_be_compared_none_are_told(tmp_path: Path, without: str) -> None:
    session, model, tokenizer = session_of(on_error="report"), tiny_gpt2(), words()
    recorder = record_run(
        session, tmp_path, tokenizer=None if without == "tokenizer" else tokenizer
    )
    session.start(model)
    perturb(model, 0.8)
    assert recorder.path is not None
    if without == "start":
        # That of another run.
        first, start = map(json.loads, recorder.path.read_text().splitlines())
        other = session_of(monitor_of())
        record_run(other, tmp_path / "other", tokenizer=tokenizer)
        other.start(tiny_gpt2(seed=9))
        line = (tmp_path / "other" / "collapse_run.jsonl").read_text().splitlines()[1]
        start["position_logprobs"] = json.loads(line)["position_logprobs"]
        recorder.path.write_text(f"{json.dumps(first)}\n{json.dumps(start)}\n")
    tokenizer.knows = without != "words"
    session.end(model, 3)
    record = read_record(recorder.path)
    assert (record.lost_words, record.has_ended) == (None, True)


def test_the_start_of_another_run_is_not_this_ones(tmp_path: Path) -> None:
    first = monitor_of()
    first.start(tiny_gpt2(seed=7))
    session = session_of(monitor_of(baseline=first.baseline))
    recorder = record_run(session, tmp_path, tokenizer=words())
    train(session)
    assert recorder.path is not None
    record = read_record(recorder.path)
    assert (record.position_logprobs, record.lost_words) == (None, None)


def test_what_a_run_is_set_up_with_is_written_down_first(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    match = "matched loss: all rows, as drawn with T 0.8."
    for name, configuration in (("fine", lambda: CONFIGURATION), ("failing", lambda: 1 // 0)):
        session = session_of(monitor_of(sampling=BRIEF), on_error="report")
        recorder = record_run(session, tmp_path / name)
        recorder.decodings, recorder.match = DECODINGS, match
        recorder.configuration = configuration  # type: ignore[assignment]
        train(session)
        assert recorder.path is not None
        record = read_record(recorder.path)
        assert record.decodings == DECODINGS
        assert match in record.summary
        assert record.configuration == (CONFIGURATION if name == "fine" else {})
    assert "telling how a run is set up" in caplog.text
