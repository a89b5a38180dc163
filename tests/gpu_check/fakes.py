"""Checks that end in every way there is, for the tests of what runs checks."""

import os
import sys
import time
from types import SimpleNamespace

from tests.gpu_check.checks import Check, Findings, Place


def check(name: str, *, least: float = 0.0, most: float = 60.0) -> Check:
    """One of the functions below, as a check."""
    return Check(name, f"claims to {name}", f"tests.gpu_check.fakes:{name}", least, most)


def hold(place: Place) -> Findings:
    return Findings({"left": place.seconds_left()}, {"it holds": True})


def not_hold(place: Place) -> Findings:
    return Findings({"value": 3}, {"it holds": True, "this does not": False})


def skip(place: Place) -> Findings:
    return Findings(skipped="there is nothing to check")


def break_down(place: Place) -> Findings:
    place.note({"before": 1})
    raise ValueError("broken\nin two lines")


def end_the_process(place: Place) -> Findings:
    place.note({"before": 2})
    os._exit(7)


def hang(place: Place) -> Findings:
    place.note({"before": 3})
    time.sleep(600)
    raise AssertionError


def break_what_comes_after(place: Place) -> Findings:
    """Have the worker fail when it tidies up, as it does where a check has broken the device."""
    sys.modules["torch"] = SimpleNamespace(cuda=SimpleNamespace(is_initialized=_fail))
    return hold(place)


def _fail() -> bool:
    raise RuntimeError("an illegal memory access was encountered")
