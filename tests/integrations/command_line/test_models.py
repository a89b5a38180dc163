import json
from pathlib import Path

import pytest

from collapse_guard.errors import ArgumentError
from collapse_guard.integrations.command_line.models import model_names


def folder(path: Path, file: str, **content: object) -> str:
    path.mkdir(parents=True)
    (path / file).write_text(json.dumps(content))
    return str(path)


def test_names_and_models_stand_for_themselves(tmp_path: Path) -> None:
    model = folder(tmp_path / "model", "config.json")
    assert model_names(["gpt2", model]) == ["gpt2", model]


def test_a_run_stands_for_its_checkpoints_by_their_steps(tmp_path: Path) -> None:
    folders = [folder(tmp_path / f"checkpoint-{step}", "config.json") for step in (5, 10, 100)]
    (tmp_path / "checkpoint-last").mkdir()
    assert model_names(["gpt2", str(tmp_path)]) == ["gpt2", *folders]


def test_a_first_adapter_comes_behind_its_base(tmp_path: Path) -> None:
    one, other = (
        folder(tmp_path / name, "adapter_config.json", base_model_name_or_path="org/base")
        for name in ("one", "other")
    )
    assert model_names([one, other]) == ["org/base", one, other]
    assert model_names(["gpt2", one]) == ["gpt2", one]
    nameless = folder(tmp_path / "nameless", "adapter_config.json")
    with pytest.raises(ArgumentError, match=r"`MODEL`.*names its base"):
        model_names([nameless])


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=r"`MODEL`.*checkpoints"):
        model_names([str(tmp_path)])
