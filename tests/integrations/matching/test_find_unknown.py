"""A source whose decoding nobody knows has it found by the line that matches the loss."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel, Trainer, TrainingArguments

from collapse_guard import ArgumentError, Decoding, MixCollator, MixGuard, MixStream, Source, sample
from collapse_guard.integrations import match_sampler
from collapse_guard.integrations.matching.find_unknown import find_unknown
from collapse_guard.mixing.reports.ledger import Shown, ledger_of
from tests.tiny import VOCAB, tiny_gpt2

CANDIDATES = [Decoding(temperature=0.5), Decoding(top_k=5)]


def rows_of(ids: torch.Tensor) -> list[dict[str, Any]]:
    return [{"input_ids": row} for row in ids.tolist()]


def random_ids(count: int, seed: int) -> torch.Tensor:
    return torch.randint(VOCAB, (count, 12), generator=torch.Generator().manual_seed(seed))


def trainer_of(model: PreTrainedModel, mix: Any, folder: Path) -> Trainer:
    arguments = TrainingArguments(
        str(folder),
        per_device_train_batch_size=4,
        max_steps=3,
        learning_rate=1e-2,
        train_sampling_strategy="sequential",
        report_to="none",
        use_cpu=True,
        disable_tqdm=True,
        save_strategy="no",
    )
    return Trainer(model, arguments, train_dataset=mix, data_collator=MixCollator(labels=True))


def mix_of(model: PreTrainedModel, decoding: Any = "find") -> MixGuard:
    drawn = sample(model, num_sequences=24, length=12, seed=0, decoding=Decoding(temperature=0.5))
    written = Source(rows_of(drawn), "web", "synthetic", decoding=decoding)
    return MixGuard(rows_of(random_ids(24, 1)), written, human_fraction=0.5, block_size=4)


def found(model: PreTrainedModel, folder: Path, **settings: Any) -> tuple[Trainer, MixGuard, Any]:
    mix = mix_of(model)
    trainer = trainer_of(model, mix, folder)
    match = match_sampler(
        trainer,
        mix,
        held_out=random_ids(8, 2).tolist(),
        candidates=CANDIDATES,
        steps=2,
        **settings,
    )
    return trainer, mix, match


def test_it_is_found_told_to_the_mix_and_matched(tmp_path: Path) -> None:
    trainer, mix, match = found(tiny_gpt2(), tmp_path)
    search = match.searches["web"]
    assert mix.decodings == match.loss.decodings == (search.decoding,)
    assert {trial.decoding for trial in search.trials} >= {*CANDIDATES, Decoding()}
    told = ledger_of(mix, Shown(0, 8), step=2)["total"]["sources"]["web"]["decoding"]
    assert told == {**search.decoding.to_dict(), "found_by": search.to_dict()}
    trainer.train()


def test_the_run_that_follows_is_one_that_knew_it_all_along(tmp_path: Path) -> None:
    searched = tiny_gpt2(dropout=0.1)
    trainer, mix, _ = found(searched, tmp_path)
    torch.manual_seed(5)
    trainer.train()
    known = tiny_gpt2(dropout=0.1)
    knowing = mix_of(known, mix.decodings[0])
    trainer = trainer_of(known, knowing, tmp_path)
    match_sampler(trainer, knowing)
    torch.manual_seed(5)
    trainer.train()
    for name, weight in known.state_dict().items():
        assert torch.equal(weight, searched.state_dict()[name]), name


def test_without_human_text_it_cannot_be_found(tmp_path: Path) -> None:
    model = tiny_gpt2()
    mix = mix_of(model)
    with pytest.raises(ArgumentError, match=r"`held_out` expected human text.*'web'"):
        match_sampler(trainer_of(model, mix, tmp_path), mix)
    assert mix.sources[-1].decoding == "find"


def test_settings_of_a_search_need_something_to_find(tmp_path: Path) -> None:
    model = tiny_gpt2()
    mix = mix_of(model, Decoding(temperature=0.5))
    with pytest.raises(ArgumentError, match="`steps` expected a source"):
        match_sampler(trainer_of(model, mix, tmp_path), mix, steps=2)


def test_rows_that_can_only_be_gone_through_are_refused() -> None:
    class Stream:
        def __iter__(self) -> Any:
            return iter(rows_of(random_ids(8, 3)))

    written = Source(Stream(), "web", "synthetic", decoding="find")
    stream = MixStream(Stream(), written, human_fraction=0.5, block_size=2)
    with pytest.raises(ArgumentError, match="read by number"):
        find_unknown(None, stream, random_ids(4, 2).tolist())


def test_decodings_that_are_listed_have_nothing_to_find() -> None:
    assert find_unknown(None, [Decoding(temperature=0.5)], None) == {}


def test_nothing_is_searched_where_the_loss_could_not_be_matched(tmp_path: Path) -> None:
    """The search takes long, and tells the mix what it found: it comes after all that may fail."""
    model = tiny_gpt2()
    mix = mix_of(model)
    trainer = trainer_of(model, mix, tmp_path)
    trainer.data_collator = lambda rows: {
        "input_ids": torch.tensor([row["input_ids"] for row in rows])
    }
    with pytest.raises(ArgumentError, match="a collator that keeps the `labels`"):
        match_sampler(trainer, mix, held_out=random_ids(8, 2).tolist(), steps=2)
    assert mix.sources[-1].decoding == "find"
