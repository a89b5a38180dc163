"""A short form of `python -m tests.hostile`, and that it would find what it looks for."""

import itertools
import os
import random
import time
from importlib import import_module

import pytest

from collapse_guard.errors import ArgumentError
from tests.hostile.exempt import EXEMPT
from tests.hostile.known import KNOWN
from tests.hostile.target import Target
from tests.hostile.targets import TARGETS
from tests.hostile.trying import all_changes, attempts, pairs

FACES = (
    "collapse_guard",
    "collapse_guard.audit",
    "collapse_guard.callbacks",
    "collapse_guard.diversity",
    "collapse_guard.integrations",
    "collapse_guard.mixing",
)
CALLS = 4


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_good_arguments_give_a_result(name: str) -> None:
    TARGETS[name].call(**TARGETS[name].good())


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_hostile_arguments_give_a_result_or_our_own_error(name: str) -> None:
    target, chance = TARGETS[name], random.Random(f"{name} 0")
    wanted = all_changes(target, chance)[: CALLS - 1]
    wanted += itertools.islice(pairs(target, chance), CALLS - len(wanted))
    trials = attempts(target, wanted)
    wrong = [trial for trial in trials if trial.outcome not in ("result", "ours")]
    assert len(wrong) <= KNOWN.get(name, 0), wrong


def test_everything_public_is_called_or_left_out_for_a_reason() -> None:
    public = {name for face in FACES for name in import_module(face).__all__}
    called = {name.removeprefix("audit.").removeprefix("diversity.") for name in TARGETS}
    called = {name.split(".")[0] for name in called}
    assert not public - called - EXEMPT.keys()
    assert not EXEMPT.keys() - public


def test_what_is_known_is_among_the_targets() -> None:
    assert KNOWN.keys() <= TARGETS.keys()


def _ours(a: object) -> None:
    raise ArgumentError("ours")


def _bare(a: object) -> None:
    raise IndexError("bare")


def _busy(a: object) -> None:
    ends = time.process_time() + 60
    while time.process_time() < ends:
        pass


def _large(a: object) -> None:
    bytearray(400 * 2**20)


def _dead(a: object) -> None:
    os._exit(3)


@pytest.mark.parametrize(
    ("call", "outcome"),
    [
        (print, "result"),
        (_ours, "ours"),
        (_bare, "bare"),
        (_busy, "hung"),
        (_large, "memory"),
        (_dead, "hung"),
    ],
)
def test_each_outcome_is_told_from_the_others(call, outcome: str) -> None:
    def only_then(a: object = None) -> None:
        if a != "good":
            call(a)

    target = Target("t", only_then, lambda: {"a": "good"})
    changes = [(("a", "[]"),), (("a", "{}"),)]
    found = attempts(target, changes)
    assert [trial.outcome for trial in found] == [outcome] * 2
    assert [trial.changes for trial in found] == changes


def test_documented_errors_are_no_bare_ones() -> None:
    found = {
        documented: attempts(
            Target("t", lambda a: {"good": 1}[a], lambda: {"a": "good"}, documented),
            [(("a", "a"),)],
        )[0].outcome
        for documented in ((), (KeyError,))
    }
    assert found == {(): "bare", (KeyError,): "ours"}
