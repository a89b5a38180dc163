"""The ledger of real Trainer runs against the rows that went into their batches."""

import json
import logging
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
import torch
from transformers import GPT2LMHeadModel, Trainer, TrainerCallback, TrainingArguments

from collapse_guard.callbacks import MixLedgerCallback
from collapse_guard.errors import ArgumentError, MixOrderError
from collapse_guard.integrations import as_hf_dataset
from collapse_guard.mixing import MixGuard, MixStream, PackCollator, PackedMix
from collapse_guard.mixing.reports.ledger import LEDGER_NAME, read_ledger
from tests.forking import Program
from tests.processes import on_launched_processes
from tests.tiny import tiny_gpt2

HUMAN, SYNTHETIC = 1, 2
NAMES = {HUMAN: "human", SYNTHETIC: "synthetic"}


def make_rows(mark: int, count: int) -> list[dict[str, list[int]]]:
    return [{"input_ids": [mark, number, number]} for number in range(count)]


def make_guard(**settings: Any) -> MixGuard:
    arguments: dict[str, Any] = {
        "human_fraction": 0.3,
        "block_size": 8,
        "length": 24,
        "epochs": 2,
    } | settings
    return MixGuard(make_rows(HUMAN, 10), make_rows(SYNTHETIC, 40), **arguments)


def make_stream(**settings: Any) -> MixStream:
    arguments: dict[str, Any] = {
        "human_fraction": 0.3,
        "block_size": 8,
        "max_repeats": None,
    } | settings
    return MixStream(make_rows(HUMAN, 10), make_rows(SYNTHETIC, 40), **arguments)


class Collator:
    """Keeps the rows that it puts into batches."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, int]] = []

    def __call__(self, rows: list[dict[str, list[int]]]) -> dict[str, torch.Tensor]:
        self.rows += [(row["input_ids"][0], row["input_ids"][1]) for row in rows]
        ids = torch.tensor([row["input_ids"] for row in rows])
        return {"input_ids": ids, "labels": ids}


def make_trainer(
    folder: Path, data: Any, callbacks: list[TrainerCallback], **settings: Any
) -> Trainer:
    arguments: dict[str, Any] = {
        "train_sampling_strategy": "sequential",
        "per_device_train_batch_size": 4,
        "gradient_accumulation_steps": 2,
        "num_train_epochs": 1,
        "learning_rate": 1e-2,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "use_cpu": True,
        "dataloader_pin_memory": False,
        "seed": 3,
    } | settings
    return Trainer(
        model=tiny_gpt2(dropout=0.1),
        args=TrainingArguments(output_dir=str(folder), **arguments),
        train_dataset=data,
        data_collator=Collator(),
        callbacks=callbacks,
    )


def counts_in(ledger: dict[str, Any]) -> dict[str, tuple[int, int | None, int | None]]:
    return {
        name: (source["shown"], source["unique"], source["repeated"])
        for name, source in ledger["total"]["sources"].items()
    }


def counted(rows: list[tuple[int, int]]) -> dict[str, tuple[int, int, int]]:
    counts = {}
    for mark, name in NAMES.items():
        times = Counter(number for kind, number in rows if kind == mark)
        counts[name] = times.total(), len(times), sum(count > 1 for count in times.values())
    return counts


def test_it_counts_the_rows_that_were_in_the_batches(tmp_path: Path) -> None:
    guard = make_guard()
    trainer = make_trainer(tmp_path, guard, [MixLedgerCallback(guard, on_error="raise")])
    trainer.train()
    ledger = read_ledger(tmp_path)
    assert counts_in(ledger) == counted(trainer.data_collator.rows)
    assert (ledger["step"], ledger["slots"], ledger["passes_before"]) == (6, 48, 0)
    assert ledger["pass"] == json.loads(json.dumps(guard.report().to_dict()))


@pytest.mark.parametrize(
    ("settings", "guard"),
    [
        # The last step of the pass has one batch instead of two, and that is short.
        ({"max_steps": 7}, {"block_size": 2, "length": 18, "epochs": 1}),
        ({"num_train_epochs": 3}, {"block_size": 2, "length": 18, "epochs": 1}),
        ({"num_train_epochs": 2, "dataloader_drop_last": True}, {"block_size": 2, "length": 18}),
        ({"max_steps": 2, "gradient_accumulation_steps": 3}, {}),
    ],
)
def test_short_steps_short_batches_and_further_passes_are_counted(
    tmp_path: Path, settings: dict[str, Any], guard: dict[str, Any]
) -> None:
    data = make_guard(**guard)
    trainer = make_trainer(tmp_path, data, [MixLedgerCallback(data, on_error="raise")], **settings)
    trainer.train()
    ledger = read_ledger(tmp_path)
    rows = trainer.data_collator.rows
    # accelerate collates one batch ahead of what is trained on, if there is one.
    step = trainer.state.max_steps
    ahead = len(rows) - ledger["total"]["slots"]
    assert ledger["step"] == step
    assert 0 <= ahead <= 4
    expected = counted(rows[: len(rows) - ahead])
    for name, (shown, unique, repeated) in counts_in(ledger).items():
        assert (shown, unique) == expected[name][:2]
        assert repeated in (None, expected[name][2])


def test_checkpoints_have_their_own_and_a_resume_goes_on_from_it(tmp_path: Path) -> None:
    def make(folder: str, **settings: Any) -> Trainer:
        data = make_guard()
        callback = MixLedgerCallback(data, every_n_steps=1, on_error="raise")
        return make_trainer(
            tmp_path / folder, data, [callback], save_strategy="steps", save_steps=2, **settings
        )

    make("whole").train()
    whole = read_ledger(tmp_path / "whole")

    seen: list[int] = []

    class DieAt(TrainerCallback):
        def on_step_end(self, args, state, control, **kwargs) -> None:
            if state.global_step == 5:
                raise KeyboardInterrupt

    class Look(TrainerCallback):
        def on_train_begin(self, args, state, control, **kwargs) -> None:
            seen.append(read_ledger(args.output_dir)["slots"])

    trainer = make("parts")
    trainer.add_callback(DieAt())
    with pytest.raises(KeyboardInterrupt):
        trainer.train()
    assert read_ledger(tmp_path / "parts")["slots"] == 40
    checkpoint = tmp_path / "parts" / "checkpoint-4"
    run = read_ledger(tmp_path / "parts")["run"]
    there = read_ledger(tmp_path / "whole" / "checkpoint-4")
    assert read_ledger(checkpoint) == {**there, "run": run}
    assert read_ledger(checkpoint)["slots"] == 32
    GPT2LMHeadModel.from_pretrained(checkpoint)

    resumed = make("parts")
    resumed.add_callback(Look())
    resumed.train(resume_from_checkpoint=str(checkpoint))
    assert seen == [32]
    assert read_ledger(tmp_path / "parts") == {**whole, "run": run}
    assert whole["run"] != run


def test_training_is_bit_identical(tmp_path: Path) -> None:
    weights = []
    for callbacks in ([], [MixLedgerCallback(make_guard(), every_n_steps=1, on_error="raise")]):
        trainer = make_trainer(tmp_path, make_guard(), callbacks)
        trainer.train()
        model = {name: value.tolist() for name, value in trainer.model.state_dict().items()}
        weights.append((model, torch.get_rng_state().tolist(), trainer.data_collator.rows))
    assert weights[0] == weights[1]


def test_an_order_that_voids_the_floor_ends_the_run_before_anything_is_read(tmp_path: Path) -> None:
    guard = make_guard(block_size=1, human_fraction=0.5)
    trainer = make_trainer(
        tmp_path,
        guard,
        [MixLedgerCallback(guard)],
        train_sampling_strategy="random",
        per_device_train_batch_size=1,
    )
    with pytest.raises(MixOrderError, match="RandomSampler"):
        trainer.train()
    assert trainer.data_collator.rows == []
    assert not (tmp_path / LEDGER_NAME).exists()


def test_failures_are_reported_and_training_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*args: Any) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("collapse_guard.callbacks.huggingface.mix_ledger.write_ledger", fail)
    guard = make_guard()
    trainer = make_trainer(tmp_path, guard, [MixLedgerCallback(guard)])
    trainer.train()
    assert trainer.state.global_step == 6
    told = [record for record in caplog.records if "mix ledger failed" in record.getMessage()]
    assert len(told) == 1
    with pytest.raises(OSError, match="no space left"):
        make_trainer(tmp_path, guard, [MixLedgerCallback(guard, on_error="raise")]).train()


def test_a_resume_with_another_global_batch_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    guard = make_guard()
    saving = {"save_strategy": "steps", "save_steps": 2}
    make_trainer(tmp_path, guard, [MixLedgerCallback(guard)], max_steps=2, **saving).train()
    checkpoint = str(tmp_path / "checkpoint-2")
    with caplog.at_level(logging.WARNING, "collapse_guard"):
        make_trainer(tmp_path, guard, [MixLedgerCallback(guard)], max_steps=3).train(checkpoint)
        assert "the same global batch" not in caplog.text
        make_trainer(
            tmp_path,
            guard,
            [MixLedgerCallback(guard)],
            max_steps=4,
            gradient_accumulation_steps=1,
        ).train(checkpoint)
    assert "had shown 16 slots of pass 0, and this one goes on at slot 8" in caplog.text


@pytest.mark.parametrize(
    ("make", "changed", "told"),
    [
        (make_guard, {"seed": 1}, "seed: the state has 0, this mix 1; order of its rows: "),
        (make_guard, {"human_fraction": 0.5}, "human_fraction: the state has 0.3, this mix 0.5"),
        (make_stream, {"human_fraction": 0.5}, "human_fraction: the state has 0.3, this mix 0.5"),
        (make_stream, {"shuffle_buffer": 7}, "shuffle_buffer: the state has 1000, this mix 7"),
    ],
)
def test_a_checkpoint_of_another_mix_is_refused_before_the_first_step(
    tmp_path: Path, make: Callable[..., Any], changed: dict[str, Any], told: str
) -> None:
    def trainer(steps: int, **settings: Any) -> Trainer:
        mix = make(**settings)
        saving = {"save_strategy": "steps", "save_steps": 2, "max_steps": steps}
        return make_trainer(tmp_path, mix, [MixLedgerCallback(mix, on_error="report")], **saving)

    trainer(2).train()
    checkpoint = str(tmp_path / "checkpoint-2")
    before = read_ledger(tmp_path)
    other = trainer(3, **changed)
    with pytest.raises(ArgumentError) as caught:
        other.train(checkpoint)
    assert told in str(caught.value)
    assert other.state.global_step == 2
    assert read_ledger(tmp_path) == before
    trainer(3).train(checkpoint)
    assert read_ledger(tmp_path)["step"] == 3


def test_a_checkpoint_of_an_earlier_release_is_not_compared(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    guard = make_guard()
    saving = {"save_strategy": "steps", "save_steps": 2}
    make_trainer(tmp_path, guard, [MixLedgerCallback(guard)], max_steps=2, **saving).train()
    file = tmp_path / "checkpoint-2" / "trainer_state.json"
    state = json.loads(file.read_text())
    kept = state["stateful_callbacks"]["collapse_guard/mix_ledger"]
    state["stateful_callbacks"]["collapse_guard/mix_ledger"] = {
        **{name: kept[name] for name in ("passes", "slots")},
        "mix": "0123456789abcdef",
    }
    file.write_text(json.dumps(state))
    ledger = json.loads((tmp_path / LEDGER_NAME).read_text())
    del ledger["run"]
    (tmp_path / LEDGER_NAME).write_text(json.dumps(ledger))
    make_trainer(tmp_path, guard, [MixLedgerCallback(guard)], max_steps=3).train(
        str(tmp_path / "checkpoint-2")
    )
    assert "of an earlier release" in caplog.text
    assert read_ledger(tmp_path)["step"] == 3


def test_two_runs_in_one_folder_keep_a_ledger_each(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    saving = {"save_strategy": "steps", "save_steps": 2}

    def trainer(steps: int, **settings: Any) -> Trainer:
        guard = make_guard(**settings)
        callback = MixLedgerCallback(guard, every_n_steps=1, on_error="raise")
        return make_trainer(tmp_path, guard, [callback], max_steps=steps, **saving)

    class Meanwhile(TrainerCallback):
        """A second run, which begins and ends while the first is on its way."""

        def on_step_end(self, args, state, control, **kwargs) -> None:
            if state.global_step == 3:
                trainer(2, human_fraction=0.5).train()

    first = trainer(5)
    first.add_callback(Meanwhile())
    first.train()
    one, two = (read_ledger(tmp_path / name) for name in (LEDGER_NAME, "mix_ledger-2.json"))
    assert (one["step"], two["step"]) == (5, 2)
    assert (one["pass"]["human_per_block"], two["pass"]["human_per_block"]) == (3, 4)
    assert f"{tmp_path} holds the ledger of another run: that of this one is" in caplog.text
    # A checkpoint's own is that of the run which wrote the checkpoint, and goes on with its file.
    assert read_ledger(tmp_path / "checkpoint-2") == two
    trainer(3, human_fraction=0.5).train(str(tmp_path / "checkpoint-2"))
    assert read_ledger(tmp_path / "mix_ledger-2.json")["step"] == 3
    assert read_ledger(tmp_path / LEDGER_NAME) == one
    with pytest.raises(ArgumentError, match=r"mix_ledger\.json, mix_ledger-2\.json.*: give the"):
        read_ledger(tmp_path)


def test_steps_that_are_no_whole_blocks_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for accumulation, told in ((2, False), (3, True)):
        guard = make_guard()
        callback = MixLedgerCallback(guard, on_error="raise")
        settings = {"max_steps": 1, "gradient_accumulation_steps": accumulation}
        make_trainer(tmp_path, guard, [callback], **settings).train()
        assert ("Give block_size=12 to the mixed stream" in caplog.text) == told
    caplog.clear()
    tokens = make_guard(unit="tokens")
    make_trainer(tmp_path, tokens, [MixLedgerCallback(tokens)], **settings).train()
    assert "block_size" not in caplog.text


@pytest.mark.parametrize("reason", ["rows", "skip"])
def test_no_ledger_is_better_than_a_wrong_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, reason: str
) -> None:
    guard = make_guard()
    if reason == "rows":
        data, settings, checkpoint = make_rows(HUMAN, 24), {}, None
    else:
        saving = {"save_strategy": "steps", "save_steps": 2}
        make_trainer(tmp_path, guard, [], max_steps=2, **saving).train()
        data, settings, checkpoint = guard, {"ignore_data_skip": True}, tmp_path / "checkpoint-2"
    make_trainer(tmp_path, data, [MixLedgerCallback(guard)], **settings).train(
        checkpoint and str(checkpoint)
    )
    assert "no mix ledger is kept" in caplog.text
    assert not (tmp_path / LEDGER_NAME).exists()


def test_a_data_set_that_was_made_of_the_stream_has_its_ledger(tmp_path: Path) -> None:
    guard = MixGuard(
        datasets.Dataset.from_list(make_rows(HUMAN, 10)),
        datasets.Dataset.from_list(make_rows(SYNTHETIC, 40)),
        human_fraction=0.3,
        block_size=8,
    )
    data = as_hf_dataset(guard)
    trainer = make_trainer(tmp_path, data, [MixLedgerCallback(guard, on_error="raise")])
    trainer.train()
    ledger = read_ledger(tmp_path)
    assert ledger["slots"] == len(guard)
    assert counts_in(ledger) == counted(trainer.data_collator.rows)


@pytest.mark.parametrize("settings", [{}, {"num_train_epochs": 2}, {"max_steps": 2}])
def test_packs_have_the_ledger_of_their_rows(tmp_path: Path, settings: dict[str, Any]) -> None:
    packed = PackedMix(make_guard(unit="tokens"), 10)
    trainer = make_trainer(
        tmp_path, packed, [MixLedgerCallback(packed, on_error="raise")], **settings
    )
    rows: list[tuple[int, int]] = []

    def collate(packs: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        for pack in packs:
            ids = pack["input_ids"][np.flatnonzero(pack["position_ids"] < 2)]
            rows.extend((int(mark), int(number)) for mark, number in ids.reshape(-1, 2))
        return PackCollator()(packs)

    trainer.data_collator = collate
    trainer.train()
    # What was read ahead of the last step is not trained on.
    ledger = read_ledger(tmp_path)
    trained = rows[: ledger["total"]["slots"]]
    assert {name: told[0] for name, told in counts_in(ledger).items()} == {
        name: told[0] for name, told in counted(trained).items()
    }
    assert ledger["pass"]["human_token_share"] > 0.29
    if "max_steps" not in settings:
        assert len(trained) == len(rows) == 48 * settings.get("num_train_epochs", 1)


def test_a_stream_has_a_ledger_too(tmp_path: Path) -> None:
    stream = make_stream()
    make_trainer(
        tmp_path, stream, [MixLedgerCallback(stream, on_error="raise")], max_steps=5
    ).train()
    ledger = read_ledger(tmp_path)
    assert ledger["slots"] == 40
    assert {name: s["shown"] for name, s in ledger["total"]["sources"].items()} == {
        "human": 15,
        "synthetic": 25,
    }


def test_arguments_that_cannot_work() -> None:
    with pytest.raises(ArgumentError, match="`every_n_steps` expected a whole number"):
        MixLedgerCallback(make_guard(), every_n_steps=0)
    with pytest.raises(ArgumentError, match="`on_error` expected"):
        MixLedgerCallback(make_guard(), on_error="ignore")  # type: ignore[arg-type]


def train_on_process(folder: str) -> dict[str, Any]:
    """With 3 batches of 4 rows on 2 processes, the last batch is filled up from the start."""
    guard = make_guard(block_size=4, length=20, epochs=1)
    trainer = make_trainer(
        Path(folder),
        guard,
        [MixLedgerCallback(guard, on_error="raise")],
        gradient_accumulation_steps=1,
        num_train_epochs=2,
        ddp_backend="gloo",
    )
    trainer.train()
    return {"rows": trainer.data_collator.rows}


@pytest.mark.slow
def test_it_counts_the_rows_of_all_processes(tmp_path: Path) -> None:
    run = tmp_path / "run"
    meeting = tmp_path / "meeting"
    meeting.mkdir()
    processes = on_launched_processes(train_on_process, meeting, str(run))
    rows = [tuple(row) for process in processes for row in process["rows"]]
    ledger = read_ledger(run)
    assert ledger["total"]["slots"] == len(rows) == 48
    assert ledger["filled_up"] == 8
    expected = counted(rows)
    for name, (shown, unique, repeated) in counts_in(ledger).items():
        assert (shown, unique) == expected[name][:2]
        assert repeated in (None, expected[name][2])


@pytest.mark.slow
def test_a_kill_at_any_moment_leaves_a_ledger_that_a_resume_agrees_with(tmp_path: Path) -> None:
    guard = make_guard(epochs=100_000)
    last = 0
    for delay in (0.0, 0.3):
        run = tmp_path / f"run-{delay}"
        program = Program(
            "tests.callbacks.huggingface.endless",
            [str(run)],
            os.environ,
            tmp_path / "errors.txt",
        )
        deadline = time.monotonic() + 120
        while not list(run.glob(f"checkpoint-*/{LEDGER_NAME}")) and program.process.is_alive():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        time.sleep(delay)
        program.process.kill()
        assert program.wait() == -signal.SIGKILL

        ledger = read_ledger(run)
        assert ledger["slots"] == 8 * ledger["step"]
        assert ledger["pass"] == json.loads(json.dumps(guard.report(ledger["slots"]).to_dict()))
        kept = sorted(
            (int(path.name.split("-")[1]), path)
            for path in run.glob("checkpoint-*")
            if (path / "trainer_state.json").exists() and (path / LEDGER_NAME).exists()
        )
        step, checkpoint = kept[-1]
        # The run was at least there when it died, and the checkpoint's own ledger says where.
        assert ledger["step"] >= step
        assert read_ledger(checkpoint)["slots"] == 8 * step
        last = max(last, ledger["step"])

        trainer = make_trainer(
            run,
            guard,
            [MixLedgerCallback(guard, on_error="raise")],
            max_steps=step + 2,
            save_strategy="no",
        )
        trainer.train(resume_from_checkpoint=str(checkpoint))
        resumed = read_ledger(run)
        assert resumed["slots"] == 8 * (step + 2)
        first = trainer.data_collator.rows[:16]
        rows = [guard[slot]["input_ids"] for slot in range(8 * step, 8 * (step + 2))]
        assert first == [(row[0], row[1]) for row in rows]
    assert last >= 5
