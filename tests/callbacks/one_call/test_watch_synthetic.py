"""One call that keeps too: the sampler-matched loss beside what is watched."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset
from transformers import PreTrainedModel, Trainer

from collapse_guard import (
    ArgumentError,
    Decoding,
    EveryNSteps,
    MixCollator,
    MixGuard,
    PanelError,
    Source,
    mark_labels,
    sample,
    watch,
)
from collapse_guard.finder import candidates
from collapse_guard.finder.source_decoding import SourceDecoding
from collapse_guard.integrations import as_hf_dataset, find_decoding_for, match_sampler
from collapse_guard.run_records.read import read_record
from tests.callbacks.huggingface.runs import fingerprint, make_trainer
from tests.callbacks.lightning.runs import QUIET, LanguageModule, make_trainer as make_lightning
from tests.callbacks.one_call.people import people_write, token_ids, word_tokenizer
from tests.integrations.matching.runs import make_sft
from tests.tiny import BRIEF, tiny_gpt2, tiny_llama

pytestmark = QUIET

COLD = Decoding(temperature=0.6)
HELD_OUT = people_write(80, seed=5)
EVERY_LOOK = {
    "pace": EveryNSteps(4),
    "rules_wait": False,
    "on_error": "raise",
    "sampling": BRIEF,
    "held_out": HELD_OUT,
}
SILENT = {**EVERY_LOOK, "tell": None}


@pytest.fixture
def few_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search among the usual ones takes a minute."""
    monkeypatch.setattr(candidates, "USUAL", (Decoding(0.6), Decoding(top_k=5)))


def trainer_on(rows: Any, folder: Path, **arguments: Any) -> Trainer:
    trainer = make_trainer(folder, **{"max_steps": 6, **arguments})
    trainer.processing_class, trainer.train_dataset = word_tokenizer(), rows
    if isinstance(rows, MixGuard):
        trainer.args.train_sampling_strategy = "sequential"
        trainer.data_collator = MixCollator(labels=True)
    return trainer


def written(count: int = 32, seed: int = 0) -> list[dict[str, Any]]:
    drawn = sample(tiny_gpt2(), num_sequences=count, length=16, seed=seed, decoding=COLD)
    return [{"input_ids": ids, "labels": ids} for ids in drawn.tolist()]


def human_rows(count: int = 32) -> list[dict[str, Any]]:
    return [{"input_ids": ids, "labels": ids} for ids in token_ids(people_write(count, 16, seed=7))]


def mix_of(decoding: Any) -> MixGuard:
    source = Source(written(), "web", "synthetic", decoding=decoding)
    return MixGuard(human_rows(), source, human_fraction=0.5, block_size=4)


def trained(trainer: Trainer) -> str:
    torch.manual_seed(2)
    trainer.train()
    return fingerprint(trainer)


def test_all_rows_are_matched_as_by_hand_and_evaluation_is_plain(tmp_path: Path) -> None:
    def trainer() -> Trainer:
        return trainer_on(Dataset.from_list(written()), tmp_path, eval_strategy="steps",
                          eval_steps=3)  # fmt: skip

    told = list[str]()
    watched = trainer()
    plain = watched.evaluate()["eval_loss"]
    call = watch(watched, synthetic="all", decoding=COLD, tell=told.append, **EVERY_LOOK)
    assert told[-1] == "matched loss: all rows, as drawn with T 0.6."
    assert tuple(told) == call.told
    assert len(told) <= 6
    assert call.reference.num_tokens == 40 * 40  # Of half of the held-out text.
    assert watched.evaluate()["eval_loss"] == plain
    by_hand = trainer()
    match_sampler(by_hand, COLD, drawn="all")
    assert trained(watched) == trained(by_hand) != trained(trainer())
    assert call.monitor.history[-1].step == 6
    assert told[-1].startswith("looks took")
    assert told[-3:-1] == ["matched loss: all rows, as drawn with T 0.6.", "no alarm."]
    call_match = call.match
    assert call_match is not None
    call_match.remove()
    assert "_loss_function" not in watched.model.__dict__


def test_a_loss_that_was_matched_by_hand_is_known(tmp_path: Path) -> None:
    trainer = trainer_on(mix_of(COLD), tmp_path)
    match = match_sampler(trainer, trainer.train_dataset)
    call = watch(trainer, **SILENT)
    assert call.match is match
    assert call.told[-1] == "matched loss: rows of 'web' as drawn with T 0.6."
    assert call.told[-1] in call.summary()
    match.remove()
    assert watch(trainer, name="again", **SILENT).match is None
    numbered = match_sampler(tiny_gpt2(), [COLD, Decoding(0.7)])
    assert str(numbered) == (
        "matched loss: rows of '1' as drawn with T 0.6, of '2' as drawn with T 0.7."
    )


@pytest.mark.usefixtures("few_candidates")
def test_what_sources_say_is_matched_and_what_they_do_not_is_found(tmp_path: Path) -> None:
    mix = mix_of("find")
    watched = trainer_on(mix, tmp_path)
    call = watch(watched, synthetic="sources", **SILENT)
    assert call.match is not None
    search = call.match.searches["web"]
    assert mix.decodings == (search.decoding,)
    assert search.documents == 40
    assert call.panel.num_documents <= 40
    assert "human rows of the mix" in call.told[1]
    assert call.told[-1].startswith(
        f"matched loss: rows of 'web' as drawn with {search.decoding} (found with 40 human"
    )
    known = mix_of(search.decoding)
    by_hand = trainer_on(known, tmp_path)
    match_sampler(by_hand, known)
    assert trained(watched) == trained(by_hand)
    record = read_record(tmp_path / "collapse_run.jsonl")
    assert record.decodings == (SourceDecoding("web", search.decoding, search),)
    assert record.decodings == call.match.sources
    assert call.told[-1] in record.summary


@pytest.mark.usefixtures("few_candidates")
def test_a_decoding_of_all_rows_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watched = trainer_on(written(), tmp_path)
    told = list[str]()
    before = list[list[str]]()

    def find(*given: Any, **settings: Any) -> Any:
        before.append([*told])
        return find_decoding_for(*given, **settings)

    home = "collapse_guard.integrations.matching.all_drawn.find_decoding_for"
    monkeypatch.setattr(home, find)
    few = {"steps": 6, "candidates": [Decoding(0.6)]}
    call = watch(watched, synthetic="all", tell=told.append, search=few, **EVERY_LOOK)
    # Whoever waits for the search has been told of it.
    assert "first, some hundred training steps, to find" in "".join(before[0])
    assert tuple(told) == call.told == (*before[0], told[-1])
    assert call.match is not None
    search = call.match.searches["all"]
    assert search.documents == 40
    assert search.best.steps == 6
    assert {trial.decoding for trial in search.trials} >= {Decoding(0.6), Decoding()}
    assert all(not trial.decoding.cuts for trial in search.trials)
    assert call.match.loss.decodings == (search.decoding,)
    by_hand = trainer_on(written(), tmp_path)
    match_sampler(by_hand, search.decoding, drawn="all")
    assert trained(watched) == trained(by_hand)


@pytest.mark.filterwarnings("ignore:`gradient_checkpointing:FutureWarning")
def test_trl_is_matched_with_the_data_set_of_a_mix(tmp_path: Path) -> None:
    def trainer(mix: MixGuard) -> Any:
        made = make_sft(tmp_path, tiny_llama(), human_rows(), max_steps=3, packing=False,
                        train_sampling_strategy="sequential")  # fmt: skip
        made.train_dataset, made.processing_class = as_hf_dataset(mix), word_tokenizer()
        return made

    watched, by_hand, plain = (trainer(mix_of(each)) for each in (COLD, COLD, None))
    call = watch(watched, synthetic="sources", **SILENT)
    assert call.told[-1] == "matched loss: rows of 'web' as drawn with T 0.6."
    assert "32 human rows of the mix" in call.told[1]
    match_sampler(by_hand, [COLD])
    by_hand.train_dataset.marks.losses += 1
    assert trained(watched) == trained(by_hand) != trained(plain)


class Module(LanguageModule):
    def training_step(self, batch: dict[str, torch.Tensor], batch_idx: int) -> torch.Tensor:
        return self.net(**batch).loss


@pytest.mark.slow
@pytest.mark.parametrize("how", ["all", "mix"])
def test_lightning_is_matched(tmp_path: Path, how: str) -> None:
    def run(match: Any, data: Any) -> list[torch.Tensor]:
        torch.manual_seed(4)
        trainer = make_lightning(tmp_path, max_steps=3)
        module = Module()
        match(trainer, module, data)
        loader = torch.utils.data.DataLoader(
            data, batch_size=4, collate_fn=MixCollator(labels=True)
        )
        trainer.fit(module, loader)
        return list(module.state_dict().values())

    def watched(trainer: Any, module: Any, data: Any) -> None:
        synthetic = {"synthetic": data}
        if how == "all":
            synthetic = {"synthetic": "all", "decoding": COLD}
        watch(trainer, model=module, tokenizer=word_tokenizer(), **synthetic, **SILENT)

    def by_hand(_: Any, module: Any, data: Any) -> None:
        if how == "all":
            match_sampler(module, COLD, drawn="all")
        else:
            match_sampler(module, data)

    def marked() -> Any:
        return mix_of(COLD) if how == "mix" else written()

    found, expected = run(watched, marked()), run(by_hand, marked())
    plain = run(lambda *_: None, mix_of(None) if how == "mix" else written())
    assert all(map(torch.equal, found, expected))
    assert not all(map(torch.equal, found, plain))


def test_a_loop_is_matched() -> None:
    def run(*matches: str) -> torch.Tensor:
        model = tiny_gpt2(dropout=0.1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        batch = torch.tensor([row["input_ids"] for row in written(8)])
        call = None
        if "watch" in matches:
            call = watch(
                model, tokenizer=word_tokenizer(), synthetic="all", decoding=COLD, **SILENT
            )
            assert call.match is not None
        if "match" in matches:
            match_sampler(model, COLD, drawn="all")
        torch.manual_seed(1)
        for step in range(1, 4):
            model(input_ids=batch, labels=batch).loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            if call is not None:
                call.step(step)
        return torch.cat([weight.detach().flatten() for weight in model.parameters()])

    assert torch.equal(run("watch"), run("match"))
    assert not torch.equal(run("watch"), run())


# Failures leave all as it was


def state_of(trainer: Any) -> Any:
    handler, model = trainer.callback_handler, trainer.model
    hooks = len(model.base_model._forward_pre_hooks)
    return list(handler.callbacks), dict(model.__dict__), hooks


def test_a_mix_without_words_on_its_rows_is_refused(tmp_path: Path) -> None:
    trainer = trainer_on(mix_of(None), tmp_path)
    before = state_of(trainer)
    with pytest.raises(ArgumentError, match="some source says how its rows were drawn"):
        watch(trainer, synthetic="sources", **SILENT)
    with pytest.raises(ArgumentError, match='`synthetic` expected "sources"'):
        watch(trainer, synthetic="all", decoding=COLD, **SILENT)
    # Marked by hand, which only the loss's own check sees.
    trainer.train_dataset = [
        {**row, "labels": mark_labels(torch.tensor(row["labels"]), 1)} for row in written()
    ]
    with pytest.raises(ArgumentError, match="`drawn` expected"):
        watch(trainer, synthetic="all", decoding=COLD, **SILENT)
    assert state_of(trainer) == before


def test_nothing_is_searched_where_something_cheap_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def searched(*_: Any, **__: Any) -> None:
        raise AssertionError("searched")

    monkeypatch.setattr(
        "collapse_guard.integrations.matching.find_unknown.find_decoding_for", searched
    )
    mix = mix_of("find")
    trainer = trainer_on(mix, tmp_path)
    watch(trainer, **SILENT)
    before = state_of(trainer)
    for wrong in ({"on_alert": "shout"}, {"rules": 3}, {}, {"name": ""}):
        with pytest.raises(ArgumentError):
            watch(trainer, synthetic="sources", **{**SILENT, **wrong})
        assert state_of(trainer) == before
    trainer.args.label_smoothing_factor, trainer.label_smoother = 0.1, object()
    with pytest.raises(ArgumentError, match="label_smoothing"):
        watch(trainer, synthetic="sources", **SILENT, name="other")
    assert state_of(trainer) == before
    assert mix.sources[-1].decoding == "find"


@pytest.mark.usefixtures("few_candidates")
def test_a_search_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    # Human text that the rows hold, so that nothing can be found with it.
    leaked = [{"input_ids": ids, "labels": ids} for ids in token_ids(HELD_OUT[::2])]
    source = Source(leaked, "web", "synthetic", decoding="find")
    mix = MixGuard(leaked, source, human_fraction=0.5, block_size=4)
    trainer = trainer_on(mix, tmp_path)
    before = state_of(trainer)
    with pytest.raises(PanelError):
        watch(trainer, synthetic="sources", **{**SILENT, "held_out": HELD_OUT[1::2]},
              reference=watch(tiny_gpt2(), tokenizer=word_tokenizer(), **SILENT).reference,
              human=HELD_OUT[1::2])  # fmt: skip
    assert state_of(trainer) == before
    assert mix.sources[-1].decoding == "find"


def test_a_state_that_does_not_fit_takes_the_match_off_again() -> None:
    model = tiny_gpt2()
    attributes = dict(model.__dict__)
    with pytest.raises(ArgumentError, match="`state` expected"):
        watch(model, tokenizer=word_tokenizer(), synthetic="all", decoding=COLD, state={"step": 1},
              **SILENT)  # fmt: skip
    assert model.__dict__ == attributes


def test_who_cannot_be_told_does_not_lose_the_run() -> None:
    def fail(line: str) -> None:
        raise OSError(line)

    model = tiny_gpt2()
    attributes = dict(model.__dict__)
    given = {"tokenizer": word_tokenizer(), "synthetic": "all", "decoding": COLD, "tell": fail}
    with pytest.raises(OSError, match="collapse_guard watches"):
        watch(model, **{**SILENT, **given})
    assert model.__dict__ == attributes
    call = watch(model, **{**SILENT, **given, "on_error": "report"})
    assert call.match is not None


def test_a_panel_leaves_nothing_to_find_with(tmp_path: Path) -> None:
    panel = watch(tiny_gpt2(), tokenizer=word_tokenizer(), **SILENT).panel
    given = {**SILENT, "held_out": None, "panel": panel}
    with pytest.raises(ArgumentError, match="`panel` expected `held_out` in place of it"):
        watch(trainer_on(written(), tmp_path), synthetic="all", **given)
    call = watch(trainer_on(written(), tmp_path), synthetic="all", decoding=COLD, **given)
    assert call.panel is panel
    assert call.match is not None


# What it is for


def own_text(model: PreTrainedModel, count: int) -> list[dict[str, Any]]:
    """Rows as the model has read them while it wrote: after the token that begins its text."""
    drawn = sample(model, num_sequences=count, length=24, seed=1, decoding=COLD)
    ids = torch.nn.functional.pad(drawn, (1, 0), value=model.config.bos_token_id)
    return [{"input_ids": row, "labels": row} for row in ids.tolist()]


def entropy(model: PreTrainedModel) -> float:
    ids = torch.tensor([row["input_ids"] for row in own_text(model, 128)])
    with torch.no_grad():
        logprobs = model(ids).logits.log_softmax(-1)
    return float(-(logprobs.exp() * logprobs).sum(-1).mean())


@pytest.mark.slow
@pytest.mark.parametrize("decoding", [COLD, "find"], ids=["given", "found"])
def test_a_model_trained_on_its_own_cold_text_keeps_what_it_can_write(
    tmp_path: Path, decoding: Any
) -> None:
    start = tiny_llama()
    text = own_text(start, 640)
    # What it was like before: drawn as it is, as people's text is from people.
    human = sample(start, num_sequences=240, length=24, seed=9)
    human_text = [{"input_ids": [0, *ids]} for ids in human.tolist()]

    def lost(**given: Any) -> tuple[float, float, int]:
        trainer = trainer_on(
            text,
            tmp_path,
            model=copy.deepcopy(start),
            per_device_train_batch_size=32,
            max_steps=20,
            learning_rate=1e-3,
        )
        call = watch(trainer, **{**SILENT, "held_out": human_text[1::2]}, **given)
        trainer.train()
        return (
            entropy(start) - entropy(trainer.model),
            1 - call.monitor.history[-1]["tail_retention"],
            len(call.monitor.alerts),
        )

    plain = lost(human=human_text[::2])
    matched = lost(human=human_text[::2], synthetic="all", decoding=decoding)
    assert (plain[2] > 0, matched[2]) == (True, 0)
    assert plain[0] > 0.2
    assert abs(matched[0]) < plain[0] / 4
    assert plain[1] > 0.2
    assert abs(matched[1]) < 2 / 3 * plain[1]
