import logging

import pytest

from collapse_guard.integrations.command_line.run import run


@pytest.mark.parametrize(
    "arguments",
    [
        ["no-such-command"],
        ["audit"],
        ["audit", "a"],
        ["audit", "a", "b", "c"],
        ["audit", "a", "b", "--target", "x"],
        ["audit", "a", "b", "--megabytes", "0"],
        ["audit", "a", "b", "--split-at", "word"],
        ["audit", "--frobnicate"],
        ["score", "a"],
        ["score", "--human", "a"],
        ["score", "a", "--human", "b", "--windows", "1"],
        ["init", "a", "b"],
    ],
)
def test_wrong_arguments_are_one_line_and_exit_code_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1


def test_nothing_at_all_is_answered_with_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 0
    assert "audit" in capsys.readouterr().out


def test_who_stops_it_is_not_shown_where_it_was(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(
        "collapse_guard.integrations.command_line.text_commands.open_texts", stopped
    )
    assert run(["audit", "a", "b"]) == 130
    assert "Traceback" not in capsys.readouterr().err


def test_the_log_is_as_it_was_afterwards() -> None:
    logger = logging.getLogger("collapse_guard")
    before = logger.level
    run(["--help"])
    run(["no-such-command"])
    assert logger.level == before
