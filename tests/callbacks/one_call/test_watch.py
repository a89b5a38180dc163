"""One call, in each framework and in none."""

from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from lightning.pytorch import Trainer as LightningTrainer
from trl import SFTConfig, SFTTrainer

from collapse_guard import (
    ArgumentError,
    CollapseMonitor,
    EveryNSteps,
    Sampling,
    Threshold,
    watch,
)
from collapse_guard.callbacks import CollapseGuard, CollapseGuardCallback, WatchedLoop
from collapse_guard.run_records.read import read_record
from tests.callbacks.huggingface.runs import Recorder, fingerprint, make_trainer, readings_in
from tests.callbacks.lightning.runs import QUIET, LanguageModule, rows
from tests.callbacks.one_call.people import people_write, word_tokenizer
from tests.tiny import BRIEF, tiny_gpt2, tiny_llama, tiny_panel, zipf_documents

HELD_OUT = people_write(80, seed=5)
EVERY_LOOK = {"pace": EveryNSteps(4), "rules_wait": False, "on_error": "raise"}


@pytest.mark.slow
def test_a_trainer_is_watched_and_trains_as_it_would(tmp_path: Path) -> None:
    def trained(watches: bool) -> Any:
        tracker, told = Recorder(), list[str]()
        trainer = make_trainer(tmp_path, callbacks=[tracker])
        trainer.processing_class = word_tokenizer()
        if watches:
            watched = watch(trainer, held_out=HELD_OUT, tell=told.append, **EVERY_LOOK)
            assert told == list(watched.told)
            assert isinstance(watched.callback, CollapseGuardCallback)
        before = len(told)
        trainer.train()
        return fingerprint(trainer), tracker.records, told[before:]

    alone, _, _ = trained(watches=False)
    beside, records, told = trained(watches=True)
    assert beside == alone
    assert [record["step"] for record in readings_in(records)] == [0, 4, 8, 12, 16]
    kept = readings_in(records)[-1]["eval_collapse/tail_retention"]
    assert told[0].startswith(f"kept {kept:.0%} of the tail (")
    assert told[-1].startswith("looks took ")
    record = read_record(tmp_path / "collapse_run.jsonl")
    assert [look.step for look in record.looks] == [0, 4, 8, 12, 16]
    assert list(record.summary) == told
    assert record.configuration["training"]["max steps"] == "16"
    assert record.configuration["watching"]["pace"] == "EveryNSteps(steps=4)"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:`gradient_checkpointing:FutureWarning")
def test_trl_is_watched_with_chats(tmp_path: Path) -> None:
    tokenizer = word_tokenizer()
    tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }} {% endfor %}"
    trainer = SFTTrainer(
        model=tiny_llama(),
        args=SFTConfig(
            output_dir=str(tmp_path),
            max_steps=2,
            report_to="none",
            use_cpu=True,
            bf16=False,
            disable_tqdm=True,
            save_strategy="no",
            max_length=48,
        ),
        train_dataset=Dataset.from_dict({"text": people_write(32, seed=6)}),
        processing_class=tokenizer,
    )
    chats = [{"messages": [{"role": "user", "content": text}]} for text in HELD_OUT]
    watched = watch(trainer, held_out=chats, tell=None, **EVERY_LOOK)
    assert watched.reference.num_tokens >= 32 * 40
    trainer.train()
    assert [look.step for look in watched.monitor.history] == [0, 2]
    assert "to step 2" in watched.summary()[0]


@pytest.mark.slow
class TestLightning:
    pytestmark = QUIET

    def test_it_is_watched(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        trainer = LightningTrainer(
            max_steps=3,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=tmp_path,
        )
        module = LanguageModule()
        watched = watch(
            trainer, model=module, tokenizer=word_tokenizer(), held_out=HELD_OUT, **EVERY_LOOK
        )
        assert isinstance(watched.callback, CollapseGuard)
        assert "half of the held-out text" in watched.told[1]
        trainer.fit(module, rows())
        assert [look.step for look in watched.monitor.history] == [0, 3]
        assert "kept " in capsys.readouterr().out
        assert watched.recorder is not None
        assert watched.recorder.path == tmp_path / "collapse_run.jsonl"
        settings = read_record(watched.recorder.path).configuration["training"]
        (optimizer,) = trainer.optimizers
        assert settings["optimizer"] == type(optimizer).__name__
        assert settings["learning rate"] == f"{optimizer.param_groups[0]['lr']:g}"

    def test_a_module_is_no_loop(self) -> None:
        with pytest.raises(ArgumentError, match=r"watch\(trainer, model=module"):
            watch(LanguageModule(), tokenizer=word_tokenizer(), held_out=HELD_OUT)

    def test_the_module_has_to_be_told(self) -> None:
        trainer = LightningTrainer(accelerator="cpu", logger=False, enable_checkpointing=False)
        with pytest.raises(ArgumentError, match="`model` expected the LightningModule"):
            watch(trainer, tokenizer=word_tokenizer(), held_out=HELD_OUT)
        module = LanguageModule()
        settings = {"model": module, "tokenizer": word_tokenizer(), "held_out": HELD_OUT}
        watch(trainer, **settings, tell=None)
        with pytest.raises(ArgumentError, match="`name` expected"):
            watch(trainer, **settings, tell=None)


def loop(steps: int, stop_after: int | None = None, **given: Any) -> WatchedLoop:
    model = tiny_gpt2()
    told = list[str]()
    run = watch(
        model,
        tokenizer=word_tokenizer(),
        held_out=HELD_OUT,
        tell=told.append,
        sampling=BRIEF,
        **{**EVERY_LOOK, **given},
    )
    assert isinstance(run, WatchedLoop)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    batch = torch.tensor(zipf_documents(8, length=16))
    with run:
        for step in range(run.state_dict()["step"] + 1, steps + 1):
            model(input_ids=batch, labels=batch).loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            if run.step(step):
                break
    return run


def test_a_loop_is_watched_from_its_start_to_its_end() -> None:
    logged = list[int]()
    run = loop(6, log=lambda record, step: logged.append(step))
    assert [look.step for look in run.monitor.history] == [0, 4, 6]
    assert logged == [0, 4, 6]
    assert run.summary()[0].startswith("kept ")
    assert str(run) == "\n".join(run.told)


def test_what_is_seen_is_written_down_where_it_is_asked_for(tmp_path: Path) -> None:
    run = loop(4, record=tmp_path, report=True)
    assert (tmp_path / "report.html").is_file()
    assert run.recorder is not None
    assert run.recorder.path == tmp_path / "collapse_run.jsonl"
    record = read_record(run.recorder.path)
    assert [look.step for look in record.looks] == [0, 4]
    assert len(record.last_texts) == 4
    assert record.lost_words is not None
    assert record.lost_words.compared > 0
    assert record.decodings == ()
    assert record.configuration["model"]["class"] == "GPT2LMHeadModel"
    assert loop(4).recorder is None
    assert loop(4, record=False).recorder is None


def test_a_loop_stops_on_an_alert() -> None:
    broken = Threshold("perplexity", above=0.0)
    run = loop(9, rules=[broken], on_alert="stop", sink=lambda alert: None)
    assert run.monitor.history[-1].step == 4
    assert "ALARM at step 4: perplexity above 0" in "".join(run.summary())


def test_a_resumed_loop_goes_on_with_its_start() -> None:
    first = loop(4)
    second = loop(6, state=first.state_dict())
    assert second.monitor.baseline is not None
    assert first.monitor.baseline is not None
    assert second.monitor.baseline.tail_logprob == first.monitor.baseline.tail_logprob
    assert [look.step for look in second.monitor.history] == [6]


def test_an_error_in_a_loop_lets_go_of_it() -> None:
    run = watch(
        tiny_gpt2(), tokenizer=word_tokenizer(), held_out=HELD_OUT, tell=None, sampling=None
    )
    with pytest.raises(KeyError), run:
        raise KeyError("the loop's own")
    assert [look.step for look in run.monitor.history] == [0]


def test_all_of_it_can_be_given() -> None:
    panel, sampling = tiny_panel(), Sampling(num_free=3, num_prompts=2, length=8)
    run = watch(tiny_gpt2(), panel=panel, sampling=sampling, rules=[], tell=None)
    assert (run.panel, run.monitor.sampling, run.monitor.rules) == (panel, sampling, ())
    assert isinstance(run.monitor, CollapseMonitor)


def test_what_a_run_cannot_pay_for_is_left_out_and_told() -> None:
    given = {"tokenizer": word_tokenizer(), "held_out": HELD_OUT, "tell": None}
    short = watch(tiny_gpt2(), **given, steps=10, tokens_per_step=1000)
    assert short.monitor.sampling is None
    assert "left out" in short.told[-1]
    assert "what the model writes" in short.told[-1]
    assert "more than 2%" in short.told[3]
    long = watch(tiny_gpt2(), **given, steps=10**6, tokens_per_step=1000)
    assert long.monitor.sampling is not None
    assert "what the model writes" not in "".join(long.told[1:])
    assert all(len(run.told) <= 6 for run in (short, long))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"held_out": None}, "`held_out` expected human texts"),
        ({"tokenizer": None}, "`tokenizer` expected the model's tokenizer"),
        ({"panel": tiny_panel()}, "`held_out` expected None beside `panel`"),
        ({"model": tiny_gpt2()}, "`model` expected None here"),
        ({"sampling": "some"}, "`sampling` expected"),
        ({"steps": 0}, "`steps` expected"),
        ({"tokens_per_step": -1.0}, "`tokens_per_step` expected"),
        ({"state": {}}, "`state` expected"),
        ({"record": 3}, "`record` expected True, False or a folder"),
        ({"report": 3}, "`report` expected True or False"),
        ({"report": True}, "`report` expected False, where nothing is written down"),
        ({"colour": 1}, "`colour` expected"),
    ],
)
def test_what_cannot_work_is_refused_at_once(given: dict[str, Any], says: str) -> None:
    good = {"tokenizer": word_tokenizer(), "held_out": HELD_OUT, "tell": None}
    with pytest.raises(ArgumentError, match=says):
        watch(tiny_gpt2(), **{**good, **given})


def test_what_is_no_run_is_refused() -> None:
    with pytest.raises(ArgumentError, match=r"`run` expected a Hugging Face Trainer.*watch\("):
        watch("trainer", held_out=HELD_OUT)


def test_a_trainer_sees_to_its_own_logs(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path)
    with pytest.raises(ArgumentError, match="`log` expected None for a Trainer"):
        watch(trainer, tokenizer=word_tokenizer(), held_out=HELD_OUT, log=print)
