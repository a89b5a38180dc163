"""A regime of the laboratory from outside of it, in one file: human rows in every other generation.

In the package one adds a function and a line to `REGIMES`, both in
`examples/laboratory/regimes.py`.
"""

import pytest

from collapse_guard.examples.laboratory.chain import run_chain
from collapse_guard.examples.laboratory.regimes import REGIMES, Lesson, Recipe, human, replace
from collapse_guard.examples.laboratory.worlds.gaussian import Gaussian


def every_other(lesson: Lesson) -> Recipe:
    """Human rows after each generation that had none."""
    return (replace if len(lesson.written) % 2 else human)(lesson)


def test_every_world_can_be_run_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(REGIMES, "every_other", every_other)
    chain = run_chain(Gaussian(), REGIMES["every_other"], generations=4, rows=20, replicates=2000)
    assert chain.human_shares == (1.0, 0.0, 1.0, 0.0)
    for generation, expected in ((3, 0.95), (4, 0.95**2)):
        measured = chain.estimate("variance", generation)
        assert abs(measured.value - expected) < 4 * measured.standard_error
