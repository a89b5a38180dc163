from pathlib import Path
from typing import Any

import pytest

from collapse_guard import Budget, EveryNSteps
from collapse_guard.callbacks.one_call.file_settings import FileSettings, file_settings
from collapse_guard.errors import ArgumentError


@pytest.fixture
def held_out(tmp_path: Path) -> str:
    path = tmp_path / "held_out.txt"
    path.write_text("one\ntwo\n")
    return str(path)


def test_they_are_what_watch_takes(held_out: str) -> None:
    assert FileSettings(held_out).arguments() == {
        "held_out": ["one", "two"],
        "human": None,
        "groups": None,
        "on_alert": "log",
        "name": "collapse",
        "pace": Budget(0.01),
    }
    other = FileSettings(
        held_out,
        human=held_out,
        groups="of",
        on_alert="stop",
        every_n_steps=5,
        writing=False,
        name="mine",
    ).arguments()
    assert other == {
        "held_out": ["one", "two"],
        "human": ["one", "two"],
        "groups": "of",
        "on_alert": "stop",
        "name": "mine",
        "pace": EveryNSteps(5),
        "sampling": None,
    }


@pytest.mark.parametrize(
    ("wrong", "argument"),
    [
        ({"held_out": "none.txt"}, "held_out"),
        ({"human": "none.txt"}, "human"),
        ({"overhead": "fast"}, "overhead"),
        ({"every_n_steps": 0}, "steps"),
        ({"writing": "no"}, "writing"),
    ],
)
def test_a_wrong_value_is_told_by_its_name(
    held_out: str, wrong: dict[str, Any], argument: str
) -> None:
    with pytest.raises(ArgumentError, match=argument):
        FileSettings(**{"held_out": held_out, **wrong}).arguments()


@pytest.mark.parametrize("given", [None, "x", {}, {"human": "x"}])
def test_held_out_text_has_to_be_there(given: object) -> None:
    with pytest.raises(ArgumentError, match="`collapse_guard` expected settings with 'held_out"):
        file_settings("collapse_guard", given)


def test_a_slip_of_the_pen_is_told() -> None:
    assert file_settings("mine", {"held_out": "x"}) == FileSettings("x")
    with pytest.raises(ArgumentError, match=r"no other settings than held_out, human.*'on_alarm'"):
        file_settings("mine", {"held_out": "x", "on_alarm": "stop"})
