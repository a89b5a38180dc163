import pytest

from collapse_guard.integrations.command_line.run import run


@pytest.mark.parametrize(
    "command", [[], ["audit"], ["score"], ["report"], ["compare"], ["watch"], ["init"]]
)
def test_help_fits_into_80_columns(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERMINAL_WIDTH", "80")
    assert run([*command, "--help"]) == 0
    text = capsys.readouterr().out
    assert "Usage: collapse-guard" in text
    assert max(map(len, text.splitlines())) <= 80
