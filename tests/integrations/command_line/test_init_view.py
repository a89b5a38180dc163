from pathlib import Path

import pytest

from collapse_guard.integrations.command_line.init_view import init_lines
from collapse_guard.integrations.command_line.run import run
from tests.integrations.command_line.training_code.scripts import looked

SCRIPT = "import trl\ndef go():\n    t = trl.SFTTrainer()\n    t.train()\n"


def test_lines_can_be_copied_as_they_are(tmp_path: Path) -> None:
    lines = list(init_lines(looked(tmp_path, a_py=SCRIPT, b_py="x ="), "here"))
    assert lines[:4] == [
        "a.py:4  SFTTrainer `t` trains here",
        "# before line 4:",
        "    from collapse_guard import watch",
        "    watch(t, held_out=held_out_texts)",
    ]
    assert lines[4].startswith("# held_out_texts: human texts")
    assert lines[5:] == ["", "not read: b.py:1: does not parse as Python"]


def test_the_command_ends_with_what_it_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["init"]) == 1
    told = capsys.readouterr().out
    assert told.startswith("nothing found in 0 files of .: looked for trainers of Hugging Face")
    assert told.count("\n") == 1
    (tmp_path / "a.py").write_text(SCRIPT)
    assert run(["init", str(tmp_path)]) == 0
    assert "watch(t, held_out=held_out_texts)" in capsys.readouterr().out
    assert run(["init", "--json"]) == 0
    assert '"place"' not in capsys.readouterr().out
