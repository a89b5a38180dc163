"""Where a reader finds the training passes of a Trainer."""

from pathlib import Path
from typing import Any

import pytest
import torch

from collapse_guard.callbacks.huggingface.passes import watch_passes
from collapse_guard.callbacks.huggingface.records import TrainerEvent
from tests.callbacks.huggingface.runs import make_trainer


class Reader:
    """Keeps what it is told to watch."""

    def watch(self, model: torch.nn.Module, **where: Any) -> Any:
        self.model, self.where = model, where
        return lambda: "ended"


@pytest.mark.parametrize("attached", [True, False])
def test_passes_are_counted_from_the_start_of_the_run(tmp_path: Path, attached: bool) -> None:
    trainer = make_trainer(tmp_path, gradient_accumulation_steps=2)
    trainer.state.global_step = 3
    wrapped = trainer.model_wrapped = torch.nn.Sequential(trainer.model)
    event = TrainerEvent(trainer.args, trainer.state, trainer.control, {"model": trainer.model})
    reader: Any = Reader()
    end = watch_passes(reader, trainer if attached else None, event)
    assert end() == "ended"
    # What the training calls: a hook on what a compiler has wrapped would be compiled too.
    assert reader.model is (wrapped if attached else trainer.model)
    assert reader.where == {"batch_size": 4, "passes": 6, "rank": 0, "num_processes": 1}
