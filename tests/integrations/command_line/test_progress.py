from pathlib import Path

import pytest

from collapse_guard.integrations.command_line.progress import reading
from collapse_guard.integrations.command_line.texts import open_texts


@pytest.mark.parametrize("is_terminal", [True, False])
def test_texts_are_all_there_and_a_pipe_sees_no_bar(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    is_terminal: bool,
) -> None:
    if is_terminal:
        # Whatever terminal the tests run in, or an earlier one said that it had.
        for name, value in {"FORCE_COLOR": "1", "TERM": "xterm", "TTY_COMPATIBLE": "1"}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("TTY_INTERACTIVE", raising=False)
    path = tmp_path / "a.txt"
    path.write_text("a\nb\n")
    with reading(open_texts("HUMAN", str(path))) as texts:
        assert list(texts) == ["a", "b"]
    captured = capsys.readouterr()
    assert captured.out == ""
    assert ("reading" in captured.err) == is_terminal
