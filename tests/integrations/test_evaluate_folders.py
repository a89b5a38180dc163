from pathlib import Path

import pytest

from collapse_guard.errors import ArgumentError
from collapse_guard.integrations import evaluate_path


@pytest.mark.parametrize("name", ["collapse", "output_diversity", "tail_probability"])
def test_a_folder_holds_the_script_that_evaluate_looks_for(name: str) -> None:
    assert (Path(evaluate_path(name)) / f"{name}.py").is_file()


@pytest.mark.parametrize("name", ["detectors", "plots", ""])
def test_other_names_are_refused_with_those_that_there_are(name: str) -> None:
    with pytest.raises(ArgumentError, match=r"\['collapse', 'output_diversity', 'tail_prob"):
        evaluate_path(name)
