import io
from pathlib import Path

from rich.console import Console

from collapse_guard.integrations.command_line.score import scored
from collapse_guard.integrations.command_line.score_view import print_scores
from collapse_guard.integrations.command_line.texts import open_texts
from tests.integrations.command_line.cases import human_file, saved_models


def test_a_line_for_each_model_and_what_rules_say(tmp_path: Path) -> None:
    scores = scored(
        saved_models(tmp_path),
        open_texts("--human", human_file(tmp_path / "human.txt")),
        tokenizer=None,
        window=16,
        windows=64,
        writes=False,
        tell=lambda name: None,
    )
    file = io.StringIO()
    print_scores(Console(file=file, width=80), scores)
    text = file.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    assert "start" in text
    assert "later: tail_retention below 0.85" in " ".join(text.split())
    assert "100%" in text
