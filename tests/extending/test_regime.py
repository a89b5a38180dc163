"""A regime of the recursive example from outside of it: one more way to make training rows.

Inside of the example one adds a function and a line to `REGIMES`, both in
`examples/recursive_finetune/regimes/registry.py`.
"""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from collapse_guard import HumanReference
from collapse_guard.examples.laboratory.regimes import Recipe
from collapse_guard.examples.recursive_finetune.finetuning import mix_rows
from collapse_guard.examples.recursive_finetune.presets import parse
from collapse_guard.examples.recursive_finetune.regimes.regime import Lesson, Regime
from collapse_guard.examples.recursive_finetune.regimes.registry import REGIMES
from collapse_guard.examples.recursive_finetune.settings import Settings
from tests.examples.topics import topics
from tests.forking import Program


def human_first(lesson: Lesson, settings: Settings) -> Recipe:
    """Human rows for the first half of each generation, then what the last one wrote."""
    return Recipe(lesson.human, lesson.written[-1:], human_fraction=[(0.5, 1.0), (1.0, 0.0)])


HUMAN_FIRST = Regime(
    "human text first",
    "Every generation trains on human text, and then on what the last one wrote.",
    "#CC79A7",
    human_first,
)


def test_its_recipe_is_what_a_generation_trains_on() -> None:
    settings = Settings(window=8, rows=16, batch_size=8, passes=1)
    human, synthetic = np.full((16, 8), 1), np.full((16, 8), 2)
    reference = HumanReference.from_token_ids(human, vocab_size=4)
    lesson = Lesson(human, human, [synthetic], reference, seed=5)
    mix = mix_rows(human_first(lesson, settings), settings, lesson.seed)
    assert [int(mix[slot]["input_ids"][0]) for slot in range(16)] == [1] * 8 + [2] * 8


def test_it_is_chosen_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(REGIMES, "human_first", HUMAN_FIRST)
    assert parse(["--regimes", "human_first"]).regimes == ["human_first"]
    assert "human_first" not in parse([]).regimes


@pytest.mark.slow
def test_a_run_trains_in_it_and_reports_it(tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("\n\n".join(topics()), encoding="utf-8")
    errors = tmp_path / "errors.txt"
    program = Program(
        "tests.extending.human_first",
        [
            *("--preset", "smoke", "--regimes", "human_first", "--generations", "1"),
            *("--dataset", str(text), "--output-dir", str(tmp_path)),
        ],
        {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")},
        errors,
    )
    program.read(300)
    assert program.wait() == 0, errors.read_text(encoding="utf-8")
    results = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    ((name, chain),) = results["regimes"].items()
    assert name == "human_first"
    assert [result["human_share"] for result in chain] == [1.0, 0.5]
    assert HUMAN_FIRST.explanation in (tmp_path / "report.html").read_text(encoding="utf-8")
