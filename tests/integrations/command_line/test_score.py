import json
from pathlib import Path

import pytest

from collapse_guard.errors import ArgumentError
from collapse_guard.integrations.command_line.score import as_dict, plotted, scored, told
from collapse_guard.integrations.command_line.texts import open_texts
from tests.integrations.command_line.cases import human_file, saved_models


@pytest.mark.parametrize("writes", [True, False])
def test_models_are_compared_with_the_first(tmp_path: Path, writes: bool) -> None:
    start, later = saved_models(tmp_path)
    human = open_texts("--human", human_file(tmp_path / "human.txt"))
    seen: list[str] = []
    scores = scored(
        [start, later, start],
        human,
        tokenizer=None,
        window=16,
        windows=40,
        writes=writes,
        tell=seen.append,
    )
    assert seen == [start, later, start]
    assert list(scores.looks) == [start, later]
    assert scores.looks[start]["tail_retention"] == 1
    assert scores.looks[later]["tail_retention"] < 0.9
    assert ("free_distinct_2" in scores.looks[start]) == writes
    plain = json.loads(json.dumps(as_dict(scores), allow_nan=False))
    assert plain["models"][later]["values"]["tail_retention"] < 0.9
    assert bool(plain["models"][later]["alerts"]) == bool(told(scores.looks[later]))
    assert plotted(scores).startswith(b"\x89PNG")


def test_each_model_is_judged_by_itself(tmp_path: Path) -> None:
    start, later = saved_models(tmp_path)
    again = tmp_path / "again"
    again.symlink_to(later)
    scores = scored(
        [start, later, str(again)],
        open_texts("--human", human_file(tmp_path / "human.txt")),
        tokenizer=None,
        window=None,
        windows=64,
        writes=False,
        tell=lambda name: None,
    )
    assert scores.is_broken
    assert [each.rule for each in told(scores.looks[later])] == [
        each.rule for each in told(scores.looks[str(again)])
    ]


def test_too_few_texts_are_refused(tmp_path: Path) -> None:
    start, _ = saved_models(tmp_path)
    (tmp_path / "few.txt").write_text("wa wb\n" * 100)
    few = open_texts("--human", str(tmp_path / "few.txt"))
    with pytest.raises(ArgumentError, match=r"`--human`.*8 different texts.*1 in"):
        scored([start], few, tokenizer=None, window=8, windows=8, writes=False, tell=print)
