"""Training goes on to the same bits, whatever it is made of."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch._dynamo.utils import counters
from transformers import PreTrainedModel, Trainer, TrainerCallback

from collapse_guard import CollapseMonitor, EveryNSteps, MixGuard
from collapse_guard.callbacks import CollapseGuardCallback
from collapse_guard.readings.prequential import PrequentialReader
from tests.callbacks.huggingface.runs import fingerprint, guarded, make_trainer, readings_in
from tests.tiny import BRIEF, tiny_gpt2, tiny_panel, tiny_reference, zipf_documents

NUM_WINDOWS = len(tiny_panel())

# Small looks, looks at the whole panel, and steps without any.
WINDOWS = {1: 2, 2: NUM_WINDOWS, 3: 3, 5: 1, 6: 4, 7: NUM_WINDOWS}


def with_adapters(model: PreTrainedModel) -> torch.nn.Module:
    torch.manual_seed(0)
    lora = LoraConfig(r=2, lora_dropout=0.1, target_modules=["c_attn"], fan_in_fan_out=True)
    return get_peft_model(model, lora)


def trained(
    folder: Path,
    *,
    attached: bool,
    adapter: bool = False,
    against_base: bool = False,
    **arguments: Any,
) -> Trainer:
    model = tiny_gpt2(dropout=0.1)
    if adapter:
        model = with_adapters(model)
        # An adapter that the user froze must stay so.
        frozen = next(name for name, _ in model.named_parameters() if "lora_A" in name)
        model.get_parameter(frozen).requires_grad = False
    # A part that the user put into evaluation mode must stay so.
    next(module for module in model.modules() if isinstance(module, torch.nn.LayerNorm)).eval()
    settings = {"max_steps": 8, "eval_strategy": "steps", "eval_steps": 4, **arguments}
    trainer = make_trainer(folder, model=model, **settings)
    if attached:
        guarded(windows=WINDOWS, against_base=against_base, sampling=BRIEF).attach(trainer)
    trainer.train()
    if attached:
        steps = {record["step"] for record in readings_in(trainer.state.log_history)}
        assert steps >= {0, 1, 2, 5, 7, 8}
    return trainer


@pytest.mark.parametrize("adapter", [False, True], ids=["full", "lora"])
@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"gradient_accumulation_steps": 2, "bf16": True},
        {"activation_checkpointing": True},
        {"optim": "schedule_free_adamw", "lr_scheduler_type": "constant"},
        pytest.param(
            {"torch_compile": True, "torch_compile_backend": "aot_eager"},
            # The compiler itself warns, with the callback and without.
            marks=[pytest.mark.slow, pytest.mark.filterwarnings("ignore::UserWarning:torch")],
        ),
    ],
    ids=["plain", "accumulation_bf16", "checkpointing", "schedule_free", "compile"],
)
def test_training_is_bit_identical(
    tmp_path: Path, arguments: dict[str, Any], adapter: bool
) -> None:
    plain = fingerprint(trained(tmp_path, attached=False, adapter=adapter, **arguments))
    watched = trained(tmp_path, attached=True, adapter=adapter, against_base=adapter, **arguments)
    assert fingerprint(watched) == plain


def test_which_adapters_are_trained_stays_the_users_choice(tmp_path: Path) -> None:
    trainer = trained(tmp_path, attached=True, adapter=True, against_base=True)
    names = [name for name, each in trainer.model.named_parameters() if each.requires_grad]
    assert len(names) == 3
    assert all("lora_" in name for name in names)
    found = readings_in(trainer.state.log_history)
    # Fresh adapters do nothing: the run starts from its base.
    assert found[0]["eval_collapse/tail_retention_vs_base"] == pytest.approx(1.0)
    for record in found:
        assert record["eval_collapse/tail_retention_vs_base"] == pytest.approx(
            record["eval_collapse/tail_retention"]
        )
    assert abs(found[-1]["eval_collapse/tail_retention"] - 1.0) > 1e-3


def test_gradient_accumulation_is_one_step(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, gradient_accumulation_steps=4)
    callback = guarded(every_n_steps=1).attach(trainer)
    trainer.train()
    assert trainer.state.global_step == 4
    assert [reading.step for reading in callback.monitor.history] == [0, 1, 2, 3, 4]


class Averages(TrainerCallback):
    """Works the averaged model out of the stepped one, after each step."""

    def __init__(self) -> None:
        self.after: dict[int, torch.nn.Module] = {}

    def on_step_end(self, args, state, control, model=None, optimizer=None, **kwargs) -> None:
        average = copy.deepcopy(model)
        inner = optimizer.optimizer
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                z, beta = inner.state[parameter]["z"], inner.param_groups[0]["betas"][0]
                # The gradient is taken at y = (1 - beta) z + beta x, x being the average.
                average.get_parameter(name).copy_((parameter - (1 - beta) * z) / beta)
        self.after[state.global_step] = average


def test_the_averaged_weights_of_a_schedule_free_run_are_looked_at(tmp_path: Path) -> None:
    averages = Averages()
    trainer = make_trainer(
        tmp_path,
        callbacks=[averages],
        max_steps=6,
        optim="schedule_free_adamw",
        lr_scheduler_type="constant",
    )
    callback = guarded(windows={2: NUM_WINDOWS, 5: NUM_WINDOWS}).attach(trainer)
    trainer.train()
    by_hand = CollapseMonitor(tiny_panel(), baseline=callback.monitor.baseline, sampling=BRIEF)
    for reading in callback.monitor.history[1:]:
        expected = by_hand.look(averages.after[reading.step], reading.step)
        assert reading["tail_retention"] == pytest.approx(expected["tail_retention"], rel=1e-3)
        stepped = by_hand.look(trainer.model, reading.step)
        assert reading["tail_retention"] != pytest.approx(stepped["tail_retention"], rel=1e-3)


def test_human_rows_are_read_off_the_training(tmp_path: Path) -> None:
    """As by a reader of one's own, which is told where the passes are; also after a resume."""
    rows = [
        [{"input_ids": ids, "labels": ids} for ids in map(torch.tensor, documents)]
        for documents in (
            zipf_documents(32, length=16, seed=5),
            zipf_documents(32, length=16, seed=6),
        )
    ]

    def run(folder: Path, *, attached: bool, checkpoint: str | None = None) -> CollapseMonitor:
        mix = MixGuard(*rows, human_fraction=0.5, block_size=8)
        reader = PrequentialReader(mix, tiny_reference(), start_rows=4)
        monitor = CollapseMonitor(
            tiny_panel(),
            pace=EveryNSteps(1),
            prequential=reader if attached else None,
            sampling=BRIEF,
        )
        trainer = make_trainer(
            folder,
            num_train_epochs=1,
            gradient_accumulation_steps=2,
            train_sampling_strategy="sequential",
            save_strategy="steps",
            save_steps=1,
        )
        trainer.train_dataset = mix
        end = None if attached else reader.watch(trainer.model, batch_size=4)
        CollapseGuardCallback(monitor, on_error="raise").attach(trainer)
        trainer.train(resume_from_checkpoint=checkpoint)
        if end is not None:
            end()
        assert not trainer.model._forward_hooks
        key = "eval_collapse/tail_logprob_prequential"
        found[folder.name] = [r[key] for r in trainer.state.log_history if key in r]
        estimates[folder.name] = reader.estimates()
        weights[folder.name] = fingerprint(trainer)[0]
        return monitor

    found: dict[str, list[float]] = {}
    estimates: dict[str, Any] = {}
    weights: dict[str, Any] = {}
    run(tmp_path / "own", attached=False)
    run(tmp_path / "whole", attached=True)
    run(tmp_path / "resumed", attached=True, checkpoint=str(tmp_path / "whole" / "checkpoint-3"))
    assert weights["whole"] == weights["own"] == weights["resumed"]
    assert len(found["whole"]) == 8
    last = estimates["own"]["tail_logprob_prequential"]
    assert last.units > 30
    assert found["whole"][-1] == pytest.approx(last.value)
    assert found["resumed"] == pytest.approx(found["whole"])
    assert found["own"] == []


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning:torch")
def test_looks_make_a_compiler_compile_nothing_more(tmp_path: Path) -> None:
    def graphs(*, attached: bool) -> int:
        torch._dynamo.reset()
        counters.clear()
        trained(
            tmp_path,
            attached=attached,
            eval_strategy="no",
            torch_compile=True,
            torch_compile_backend="eager",
        )
        return counters["stats"]["unique_graphs"]

    assert graphs(attached=True) == graphs(attached=False) > 0
