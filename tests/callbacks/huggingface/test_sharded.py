"""The Trainer with a sharded model (FSDP2) on two processes: looks, start, save and resume."""

from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import PartialState
from accelerate.utils import DistributedType
from safetensors.torch import load_file
from torch.distributed.fsdp import FSDPModule
from transformers import Trainer, TrainingArguments

from tests.callbacks.huggingface.runs import Rows, guarded, losses_in, readings_in
from tests.processes import on_launched_processes
from tests.tiny import BRIEF, tiny_gpt2

STEPS = 8


def sharded_trainer(folder: Path, *, is_watched: bool) -> Trainer:
    args = TrainingArguments(
        str(folder),
        per_device_train_batch_size=4,
        max_steps=STEPS,
        learning_rate=1e-2,
        logging_steps=1,
        save_steps=STEPS // 2,
        report_to="none",
        use_cpu=True,
        disable_tqdm=True,
        seed=3,
        fsdp=True,
        fsdp_config={
            "fsdp_version": 2,
            "transformer_layer_cls_to_wrap": ["GPT2Block"],
            "state_dict_type": "FULL_STATE_DICT",
        },
    )
    assert args.device.type == "cpu"
    # PyTorch shards on CPUs too, but accelerate asks for an accelerator: it is told that this is
    # one, of a kind that it does nothing else for.
    PartialState._shared_state["distributed_type"] = DistributedType.MULTI_MUSA
    trainer = Trainer(tiny_gpt2(dropout=0.1), args, train_dataset=Rows())
    if is_watched:
        guarded(every_n_steps=STEPS // 2, sampling=BRIEF).attach(trainer)
    return trainer


def trained(folder: str, is_watched: bool, resume_from: str | None = None) -> Any:
    trainer = sharded_trainer(Path(folder), is_watched=is_watched)
    trainer.train(resume_from_checkpoint=resume_from)
    assert isinstance(trainer.model_wrapped, FSDPModule)
    history = trainer.state.log_history
    return {
        "losses": [(record["step"], record["loss"]) for record in losses_in(history)],
        "readings": readings_in(history),
    }


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / f"checkpoint-{STEPS}" / "model.safetensors")


@pytest.mark.slow
def test_a_sharded_run_is_watched_undisturbed_and_resumed(tmp_path: Path) -> None:
    names = ("alone", "watched", "resumed")
    outputs = {name: tmp_path / name for name in names}
    meeting = [tmp_path / f"{name}-meeting" for name in names]
    for folder in meeting:
        folder.mkdir()
    runs = {
        "alone": on_launched_processes(trained, meeting[0], str(outputs["alone"]), False),
        "watched": on_launched_processes(trained, meeting[1], str(outputs["watched"]), True),
        "resumed": on_launched_processes(
            trained,
            meeting[2],
            str(outputs["resumed"]),
            True,
            str(outputs["watched"] / f"checkpoint-{STEPS // 2}"),
        ),
    }
    first, second = runs["watched"]
    # Each process has its own rows, and both have the same readings.
    assert first["readings"] == second["readings"]
    assert [record["step"] for record in first["readings"]] == [0, STEPS // 2, STEPS]
    for process in range(2):
        assert runs["watched"][process]["losses"] == runs["alone"][process]["losses"]
        assert runs["resumed"][process]["readings"] == first["readings"]
    weights = weights_of(outputs["alone"])
    for name in ("watched", "resumed"):
        others = weights_of(outputs[name])
        assert others.keys() == weights.keys()
        assert all(torch.equal(others[key], weights[key]) for key in weights), name
