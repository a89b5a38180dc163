"""`results.json`, there and back."""

import json
from pathlib import Path

from collapse_guard.examples.recursive_finetune.results import RunResults, versions
from tests.examples.results import collapsed_run
from tests.looks import ON_HUMAN_TEXT


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    results = collapsed_run()
    path = tmp_path / "results.json"
    results.save(path)
    again = RunResults.load(path)
    copy = tmp_path / "copy.json"
    again.save(copy)
    assert copy.read_bytes() == path.read_bytes()
    assert again.regimes["replace"][1].alerts == results.regimes["replace"][1].alerts
    assert again.regimes["human"][2].sight == ["It finds a loss of 27%."]
    assert again.configuration == results.configuration


def test_the_file_holds_what_others_look_for(tmp_path: Path) -> None:
    collapsed_run().save(tmp_path / "results.json")
    content = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert {"configuration", "versions", "corpus", "regimes", "format"} <= content.keys()
    assert content["configuration"]["seed"] == 0
    for chain in content["regimes"].values():
        assert [result["generation"] for result in chain] == [0, 1, 2]
        for result in chain:
            assert {*ON_HUMAN_TEXT, "distinct_2", "alerts", "standard_errors"} <= result.keys()
    alert = content["regimes"]["replace"][1]["alerts"][0]
    assert {"rule", "reading", "value", "limit", "step", "severity"} <= alert.keys()
    # NaN is not JSON.
    assert content["regimes"]["human"][0]["standard_errors"]["perplexity"] is None


def test_versions_name_what_computed_the_figures() -> None:
    assert {"python", "torch", "transformers", "peft", "collapse_guard"} <= versions().keys()
