import json
from pathlib import Path

import pytest

from collapse_guard import MixGuard
from collapse_guard.errors import ArgumentError
from collapse_guard.integrations.command_line.runs import ledgers_of, run_as_dict, runs_of
from collapse_guard.mixing.reports.ledger import Shown, ledger_of, write_ledger
from tests.run_records.made import DECODINGS, LOST, a_look, a_record, an_alert, written


def a_run(folder: Path, name: str = "collapse") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}_run.jsonl"
    path.write_text(written(a_record(a_look(0, 1.0), a_look(4, 0.5, alerts=(an_alert(4),)))))
    return path


def test_runs_are_called_by_what_tells_them_apart(tmp_path: Path) -> None:
    one, other = a_run(tmp_path / "runs" / "one"), a_run(tmp_path / "runs" / "other")
    assert list(runs_of([str(one.parent), str(other)])) == ["one", "other"]
    assert list(runs_of([str(one.parent)])) == list(runs_of([str(one)])) == ["one"]
    a_run(one.parent, "code")
    assert list(runs_of([str(one.parent)])) == ["code_run.jsonl", "collapse_run.jsonl"]
    with pytest.raises(ArgumentError, match="`RUN`"):
        runs_of([str(tmp_path)])


def test_the_ledger_beside_a_run_is_found(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("with", "without")]
    for folder in folders:
        a_run(folder)
    rows = [{"input_ids": [1]}] * 8
    mix = MixGuard(rows, rows, human_fraction=0.5, block_size=2)
    shown = Shown(passes=0, slots=4, slots_per_pass=None)
    write_ledger(folders[0], ledger_of(mix, shown, step=2, run="a"))
    given = [str(folder) for folder in folders]
    found = ledgers_of(given, runs_of(given))
    assert list(found) == ["with"]
    assert found["with"]["total"]["human_share"] == 0.5


def test_a_run_goes_into_json(tmp_path: Path) -> None:
    (run,) = runs_of([str(a_run(tmp_path))]).values()
    plain = json.loads(json.dumps(run_as_dict(run), allow_nan=False))
    assert (plain["step"], plain["values"]["tail_retention"]) == (4, 0.5)
    assert plain["alerts"][0]["rule"] == "tail_retention below 0.85"
    assert (plain["decodings"], plain["lost_words"]) == ([], None)
    assert run_as_dict(a_record())["step"] is None
    whole = run_as_dict(a_record(decodings=DECODINGS, lost_words=LOST))
    plain = json.loads(json.dumps(whole, allow_nan=False))
    assert plain["decodings"][0]["decoding"]["temperature"] == 0.8
    assert plain["lost_words"]["words"][0]["word"] == "quokka"
