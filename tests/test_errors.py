"""Errors say what was expected, and survive the way between processes."""

import pickle

from collapse_guard.errors import bad_argument


def test_errors_shorten_what_was_given_and_cross_processes() -> None:
    error = bad_argument("ids", expected="a", given="x" * 500, hint="do")
    assert "xxx...: do." in str(error)
    assert len(str(error)) < 200
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert isinstance(error, ValueError)
