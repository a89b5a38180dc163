"""A checkpoint on an alert is the one that Lightning would write; failures are those of all."""

from pathlib import Path

import pytest
import torch

from collapse_guard.callbacks.lightning.saving import save_on_all
from tests.callbacks.lightning.runs import QUIET, fit, make_trainer

pytestmark = QUIET


def test_it_writes_what_the_trainer_writes(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, max_epochs=1)
    fit(trainer)
    trainer.save_checkpoint(tmp_path / "theirs.ckpt")
    save_on_all(trainer, str(tmp_path / "ours.ckpt"))
    theirs, ours = (
        torch.load(tmp_path / f"{name}.ckpt", weights_only=False) for name in ("theirs", "ours")
    )
    assert ours.keys() == theirs.keys()
    assert ours["global_step"] == theirs["global_step"]
    for name, value in theirs["state_dict"].items():
        assert torch.equal(ours["state_dict"][name], value)


def test_a_disk_that_is_full_is_told(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, max_epochs=1)
    fit(trainer)
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        save_on_all(trainer, str(tmp_path / "file" / "ours.ckpt"))
