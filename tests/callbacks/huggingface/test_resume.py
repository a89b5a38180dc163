"""A run that is resumed goes on as if it had never stopped."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import Trainer, TrainerCallback

from collapse_guard import Budget, CollapseMonitor, EveryNSteps, Threshold
from collapse_guard.callbacks import CollapseGuardCallback
from tests.callbacks.huggingface.runs import guarded, make_trainer, readings_in
from tests.tiny import BRIEF, tiny_gpt2, tiny_panel

NUM_WINDOWS = len(tiny_panel())


def saved_state(checkpoint: Path, name: str = "collapse") -> dict[str, Any]:
    state = json.loads((checkpoint / "trainer_state.json").read_text())
    return state["stateful_callbacks"][f"collapse_guard/{name}"]


@pytest.mark.parametrize("restore", [False, True])
def test_a_resumed_run_goes_on_with_its_start(tmp_path: Path, restore: bool) -> None:
    rule = Threshold("perplexity", above=0.0, patience=3, alpha=None)

    def run(folder: Path, checkpoint: str | None) -> tuple[Trainer, Any]:
        trainer = make_trainer(
            folder,
            save_strategy="steps",
            save_steps=8,
            restore_callback_states_from_checkpoint=restore,
        )
        callback = guarded(rules=[rule], every_n_steps=4).attach(trainer)
        second = guarded(rules=[], every_n_steps=8, name="second").attach(trainer)
        trainer.train(resume_from_checkpoint=checkpoint)
        return trainer, (callback, second)

    whole, (reference, _) = run(tmp_path / "whole", None)
    resumed, (callback, second) = run(
        tmp_path / "resumed", str(tmp_path / "whole" / "checkpoint-8")
    )
    assert [reading.step for reading in callback.monitor.history] == [12, 16]
    assert callback.monitor.history == reference.monitor.history[-2:]
    assert [alert.step for alert in callback.monitor.alerts] == [12]
    assert second.monitor.baseline == reference.monitor.baseline
    for name in ("collapse", "second"):
        assert readings_in(resumed.state.log_history, name) == readings_in(
            whole.state.log_history, name
        )


def test_small_looks_go_on_where_they_stopped(tmp_path: Path) -> None:
    # Whether the next is to be logged, and whatever has been looked at by a checkpoint's step.
    windows = {2: 3, 4: 2, 7: 1, 8: 4, 13: 3, 14: 5}

    def run(folder: Path, checkpoint: str | None) -> tuple[Trainer, CollapseGuardCallback]:
        trainer = make_trainer(folder, save_strategy="steps", save_steps=1)
        callback = guarded(rules=[], windows=windows).attach(trainer)
        trainer.train(resume_from_checkpoint=checkpoint)
        return trainer, callback

    whole, reference = run(tmp_path / "whole", None)
    logged = readings_in(whole.state.log_history)
    assert [record["step"] for record in logged] == [0, 2, 4, 7, 13, 16]
    # After the last step nothing is left to look at.
    for step in (3, 5, 8, 9, 16):
        checkpoint = str(tmp_path / "whole" / f"checkpoint-{step}")
        resumed, callback = run(tmp_path / f"resumed-{step}", checkpoint)
        assert readings_in(resumed.state.log_history) == logged
        mine, its = callback.monitor.state_dict(), reference.monitor.state_dict()
        for untimed in ("baseline", "alarms", "rotation"):
            assert mine[untimed] == its[untimed]


def test_every_checkpoint_holds_the_pace_of_its_step(tmp_path: Path) -> None:
    monitors: list[CollapseMonitor] = []

    class Watcher(TrainerCallback):
        """Keeps the monitor's state when a checkpoint has been written."""

        def __init__(self) -> None:
            self.states: dict[int, Any] = {}

        def on_save(self, args, state, control, **kwargs) -> None:
            self.states[state.global_step] = json.loads(json.dumps(monitors[-1].state_dict()))

    def attached(folder: Path, watcher: Watcher) -> Trainer:
        trainer = make_trainer(
            folder, callbacks=[watcher], save_strategy="steps", save_steps=1, save_only_model=False
        )
        # Much, so that steps without a look, with a small one, and with a full one all come up.
        monitors.append(CollapseMonitor(tiny_panel(), pace=Budget(0.5), sampling=BRIEF))
        CollapseGuardCallback(monitors[-1], on_error="raise").attach(trainer)
        return trainer

    watcher = Watcher()
    attached(tmp_path, watcher).train()
    assert len({json.dumps(state["pace"]) for state in watcher.states.values()}) == 16
    for step, state in watcher.states.items():
        assert saved_state(tmp_path / f"checkpoint-{step}")["monitor"] == state

    class Begins(TrainerCallback):
        def on_train_begin(self, args, state, control, **kwargs) -> None:
            self.state = monitors[-1].state_dict()

    begins = Begins()
    resumed = attached(tmp_path / "resumed", Watcher())
    resumed.add_callback(begins)
    resumed.train(resume_from_checkpoint=str(tmp_path / "checkpoint-7"))
    assert json.loads(json.dumps(begins.state)) == watcher.states[7]


def test_keeping_the_state_costs_next_to_nothing_where_nobody_looked(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path)
    callback = guarded(windows={}).attach(trainer)
    taken: list[int] = []
    state_dict = callback.monitor.state_dict

    def counted() -> dict[str, Any]:
        taken.append(trainer.state.global_step)
        return state_dict()

    callback.monitor.state_dict = counted
    trainer.train()
    assert taken == [0, 16]


def test_a_checkpoint_from_before_the_callback(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    arguments = {"save_strategy": "steps", "save_steps": 8}
    make_trainer(tmp_path, **arguments).train()
    trainer = make_trainer(tmp_path, restore_callback_states_from_checkpoint=True, **arguments)
    callback = guarded().attach(trainer)
    trainer.train(resume_from_checkpoint=str(tmp_path / "checkpoint-8"))
    assert "compare with the model at step 8" in caplog.text
    assert [reading.step for reading in callback.monitor.history] == [8, 10, 15, 16]
    assert callback.monitor.history[0]["tail_retention"] == 1.0


def test_adapters_that_were_trained_before_are_told_against_their_base(tmp_path: Path) -> None:
    def trainer_of_adapters() -> Trainer:
        torch.manual_seed(0)
        lora = LoraConfig(r=4, target_modules=["c_attn"], fan_in_fan_out=True)
        model = get_peft_model(tiny_gpt2(), lora)
        return make_trainer(
            tmp_path, model=model, save_strategy="steps", save_steps=8, learning_rate=0.05
        )

    trainer_of_adapters().train()
    trainer = trainer_of_adapters()
    callback = guarded(against_base=True).attach(trainer)
    trainer.train(resume_from_checkpoint=str(tmp_path / "checkpoint-8"))
    joined = callback.monitor.history[0]
    assert joined["tail_retention"] == 1.0
    # What the adapters had done by then, as a monitor of the base model sees it.
    model = trainer_of_adapters()
    model.train(resume_from_checkpoint=str(tmp_path / "checkpoint-8"))
    of_base = CollapseMonitor(tiny_panel(), sampling=BRIEF)
    of_base.start(tiny_gpt2())
    last = of_base.look(model.model, 16)["tail_retention"]
    assert callback.monitor.history[-1]["tail_retention_vs_base"] == pytest.approx(last, rel=1e-5)
    assert abs(joined["tail_retention_vs_base"] - 1.0) > 0.01


def test_a_checkpoint_with_the_callback_resumes_without_it(tmp_path: Path) -> None:
    arguments = {"save_strategy": "steps", "save_steps": 8}
    trainer = make_trainer(tmp_path, **arguments)
    guarded().attach(trainer)
    trainer.train()
    later = make_trainer(tmp_path, restore_callback_states_from_checkpoint=True, **arguments)
    later.train(resume_from_checkpoint=str(tmp_path / "checkpoint-8"))
    assert later.state.global_step == 16


def test_a_state_of_another_panel_is_told_and_not_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    arguments = {"save_strategy": "steps", "save_steps": 8}
    trainer = make_trainer(tmp_path, **arguments)
    guarded().attach(trainer)
    trainer.train()
    later = make_trainer(tmp_path, **arguments)
    monitor = CollapseMonitor(tiny_panel(window=20), pace=EveryNSteps(4), sampling=BRIEF)
    CollapseGuardCallback(monitor).attach(later)
    later.train(resume_from_checkpoint=str(tmp_path / "checkpoint-8"))
    assert "expected one of a monitor of this panel" in caplog.text
    assert [reading.step for reading in monitor.history] == [8, 12, 16]
