import json
from pathlib import Path

import pytest

from collapse_guard.errors import ArgumentError
from collapse_guard.integrations.command_line.run import run
from tests.integrations.command_line.cases import human_file, saved_models, text_file


@pytest.mark.parametrize(("temperature", "code"), [(1.0, 0), (0.6, 1)])
def test_an_audit_ends_with_its_verdict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], temperature: float, code: int
) -> None:
    files = [
        text_file(tmp_path / "human.txt", seed=0),
        text_file(tmp_path / "other.txt", seed=1, temperature=temperature),
    ]
    assert run(["audit", *files]) == code
    assert ("Nothing speaks against" in capsys.readouterr().out) == (code == 0)
    assert run(["audit", *files, "--json"]) == code
    found = json.loads(capsys.readouterr().out)
    assert found["is_fit"] == (code == 0)
    assert found["temperatures"] == {}


def test_an_option_reaches_what_it_is_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    human = text_file(tmp_path / "human.txt", seed=0, texts=60)
    rows = [{"said": line} for line in Path(human).read_text().splitlines()]
    said = tmp_path / "said.jsonl"
    said.write_text("\n".join(map(json.dumps, rows)))
    options = ["--target", "0.2", "--seed", "3", "--json"]
    assert run(["audit", str(said), str(said), "--column", "said", *options]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["share"]["target"] == 0.2
    assert found["copies"]["shared"] == 1
    columns = ["--human-column", "said", "--column", "text"]
    with pytest.raises(ArgumentError, match="`--column` expected one of the columns of SYNTHETIC"):
        run(["audit", str(said), str(said), *columns])
    with pytest.raises(ArgumentError, match="`target`"):
        run(["audit", human, human, "--target", "2"])
    # One paragraph.
    with pytest.raises(ArgumentError, match="`--human` expected at least 8"):
        run(["score", "gpt2", "--human", human, "--split-at", "paragraph"])


def test_scores_end_with_what_rules_say(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    start, later = saved_models(tmp_path)
    human = ["--human", human_file(tmp_path / "human.txt"), "--window", "16", "--no-writing"]
    capsys.readouterr()
    assert run(["score", start, *human]) == 0
    captured = capsys.readouterr()
    assert "tail kept" in captured.out
    assert captured.err.startswith(f"looking at {start}\n")
    plot = tmp_path / "plot.png"
    assert run(["score", start, later, *human, "--json", "--plot", str(plot)]) == 1
    assert list(json.loads(capsys.readouterr().out)["models"]) == [start, later]
    assert plot.read_bytes().startswith(b"\x89PNG")
