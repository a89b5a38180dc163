"""States of chains survive kills, and are not mistaken for those of another experiment."""

from pathlib import Path

import numpy as np
import pytest
import torch

from collapse_guard.errors import ArgumentError
from collapse_guard.examples.recursive_finetune.checkpoints import ChainState, Checkpoints
from collapse_guard.examples.recursive_finetune.folders import new_folder
from tests.examples.results import generation
from tests.tiny import tiny_llama

CPU = torch.device("cpu")


def state(generations: int) -> ChainState:
    return ChainState(
        [generation(number) for number in range(generations + 1)],
        tiny_llama(seed=generations),
        [np.full((2, 4), number) for number in range(generations + 1)],
        {"training": {"looks": generations}},
        [tiny_llama(seed=10), tiny_llama(seed=11)],
    )


def test_the_newest_state_comes_back(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    assert checkpoints.load("replace", CPU, until=5) is None
    for generations in (1, 2):
        checkpoints.save("replace", state(generations))
    loaded = checkpoints.load("replace", CPU, until=5)
    assert loaded is not None
    assert [result.generation for result in loaded.history] == [0, 1, 2]
    assert np.array_equal(loaded.written, state(2).written)
    assert loaded.monitors == {"training": {"looks": 2}}
    models = [loaded.model, *loaded.others]
    for model, seed in zip(models, (2, 10, 11), strict=True):
        expected = tiny_llama(seed=seed).state_dict()
        assert model.state_dict().keys() == expected.keys()
        for name, weight in model.state_dict().items():
            assert torch.equal(weight, expected[name])
    assert checkpoints.load("human", CPU, until=5) is None


def test_only_the_newest_state_takes_space(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    for generations in (1, 2, 3):
        checkpoints.save("replace", state(generations))
    assert [path.name for path in (tmp_path / "replace").iterdir()] == ["0003"]


def test_half_written_states_are_passed_over(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save("replace", state(1))
    # What a kill leaves behind.
    (tmp_path / "replace" / ".0002.x1y2").mkdir()
    loaded = checkpoints.load("replace", CPU, until=5)
    assert loaded is not None
    assert loaded.history[-1].generation == 1


def test_a_longer_chain_is_not_cut_short(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save("replace", state(3))
    assert checkpoints.load("replace", CPU, until=2) is None


def test_a_folder_belongs_to_one_experiment(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "state")
    checkpoints.claim({"seed": 0, "rows": 8})
    checkpoints.claim({"rows": 8, "seed": 0})
    with pytest.raises(ArgumentError, match="of a run with other rows, seed"):
        checkpoints.claim({"seed": 1, "rows": 9})


def test_a_folder_is_complete_or_not_there(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "folder"

    def fail_half_way() -> None:
        with new_folder(target) as temporary:
            (temporary / "half").touch()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert list(target.parent.iterdir()) == []
    with new_folder(target) as temporary:
        (temporary / "whole").touch()
        assert not target.exists()
    assert [path.name for path in target.iterdir()] == ["whole"]


def test_who_comes_second_leaves_the_first_ones_folder(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    with new_folder(target) as late:
        (late / "late").touch()
        with new_folder(target) as early:
            (early / "early").touch()
    assert [path.name for path in target.iterdir()] == ["early"]
