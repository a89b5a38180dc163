"""Mixed streams that know how their rows were drawn."""

import json
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import datasets
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from collapse_guard import (
    ArgumentError,
    Decoding,
    MixCollator,
    MixGuard,
    MixStream,
    SamplerMatchedLoss,
    Source,
)
from collapse_guard.finder.search import DecodingSearch, DecodingTrial
from collapse_guard.integrations import as_hf_dataset
from collapse_guard.mixing.reports.ledger import Shown, ledger_of
from collapse_guard.model.marked_labels import unmark_labels

COOL, NARROW = Decoding(temperature=0.8), Decoding(top_k=20)

HUMAN = [{"input_ids": [1, n, 0]} for n in range(12)]
FIRST = [{"input_ids": [2, n, 0], "drawn_mask": [0, 1, 1]} for n in range(12)]
SECOND = [{"input_ids": [3, n, 0]} for n in range(12)]

EXPECTED = {1: [0, 0, 0], 2: [0, 1, 1], 3: [2, 2, 2], 4: [0, 0, 0]}
"""How the tokens of each source's rows were drawn, by the first token of its rows."""


def sources(make: Callable[[Any], Any] = list) -> dict[str, Any]:
    unknown = [{"input_ids": [4, n, 0]} for n in range(12)]
    return {
        "human": make(HUMAN),
        "synthetic": [
            Source(make(FIRST), "first", "synthetic", decoding=COOL),
            Source(make(SECOND), "second", "synthetic", decoding=NARROW),
            Source(make(unknown), "third", "synthetic"),
        ],
    }


def guard_of(make: Callable[[Any], Any] = list, **changes: Any) -> MixGuard:
    settings = {"human_fraction": 0.25, "block_size": 8, **sources(make), **changes}
    return MixGuard(**settings)


def check(row: Any) -> None:
    tokens, drawn_with = unmark_labels(torch.as_tensor(np.asarray(row["labels"])))
    ids = list(map(int, row["input_ids"]))
    assert tokens.tolist() == ids
    assert drawn_with.tolist() == EXPECTED[ids[0]]
    assert set(row) == {"input_ids", "labels"}


@pytest.mark.parametrize("make", [list, datasets.Dataset.from_list])
@pytest.mark.parametrize("workers", [0, 2])
def test_batches_say_what_each_token_was_drawn_with(
    make: Callable[[Any], Any], workers: int
) -> None:
    guard = guard_of(make)
    assert SamplerMatchedLoss(guard).decodings == (COOL, NARROW)
    loader = DataLoader(guard, batch_size=8, collate_fn=MixCollator(), num_workers=workers)
    seen = 0
    for batch in loader:
        assert batch["labels"].dtype == torch.int64
        for ids, labels in zip(batch["input_ids"], batch["labels"], strict=True):
            check({"input_ids": ids, "labels": labels})
            seen += 1
    assert seen == len(guard)


def test_a_mix_of_which_nothing_is_known_is_as_it_was() -> None:
    plain = [Source(s.rows, s.name, "synthetic") for s in sources()["synthetic"][1:]]
    guard = guard_of(synthetic=plain)
    assert guard.decodings == ()
    assert {tuple(row) for row in map(guard.__getitem__, range(len(guard)))} == {("input_ids",)}


@pytest.mark.parametrize("make", [list, datasets.Dataset.from_list])
def test_a_mix_as_a_data_set_is_marked_too(make: Callable[[Any], Any]) -> None:
    guard = guard_of(make)
    mixed = as_hf_dataset(guard)
    assert mixed.column_names == ["input_ids", "labels"]
    assert list(mixed) == [guard[slot] for slot in range(len(guard))]
    for row in mixed:
        check(row)


@pytest.mark.parametrize("make", [lambda guard: guard, as_hf_dataset])
def test_batches_are_refused_until_a_loss_knows_what_marks_mean(make: Callable[[Any], Any]) -> None:
    """TRL's fused head would take a wrong loss of marked labels, and say nothing."""
    guard = guard_of()
    rows = make(guard)
    if rows is not guard:
        # As TRL makes of it before it trains.
        rows = rows.map(lambda row: row)
    with pytest.raises(ArgumentError, match=r"call match_sampler\(trainer, mix\)"):
        rows.__getitems__([0, 1])
    assert len(rows[0]["labels"]) == 3
    # To look at them is not to take a loss by them.
    assert guard.decodings == (COOL, NARROW)
    with pytest.raises(ArgumentError):
        rows.__getitems__([0, 1])
    first, second = SamplerMatchedLoss(guard), SamplerMatchedLoss(guard)
    assert len(rows.__getitems__([0, 1])) == 2
    first.release()
    first.release()
    assert len(rows.__getitems__([2, 3])) == 2
    second.release()
    with pytest.raises(ArgumentError):
        rows.__getitems__([4, 5])


def test_a_stream_that_no_loss_knows_is_told_of(caplog: pytest.LogCaptureFixture) -> None:
    stream = MixStream(**sources(), human_fraction=0.25, block_size=8)
    next(iter(stream))
    assert "no loss knows what the marks mean" in caplog.text
    caplog.clear()
    SamplerMatchedLoss(stream)
    next(iter(stream))
    assert not caplog.text


def test_a_data_set_and_a_list_make_one_data_set() -> None:
    """People's rows out of a tokenizer, and a list of answers with what was drawn of them."""
    human = datasets.Dataset.from_list(
        [{"input_ids": [1, n], "attention_mask": [1, 1]} for n in range(6)]
    ).cast_column("input_ids", datasets.List(datasets.Value("int32")))
    # The first row says nothing of what was drawn: all of it.
    answers: list[Any] = [{"input_ids": [2, n]} for n in range(6)]
    answers[1:] = [{**row, "drawn_mask": [0, 1]} for row in answers[1:]]
    guard = MixGuard(
        human,
        Source(answers, "answers", "synthetic", decoding=COOL),
        human_fraction=0.5,
        block_size=2,
    )
    mixed = as_hf_dataset(guard)
    assert list(mixed) == [guard[slot] for slot in range(len(guard))]
    for row in mixed:
        _, drawn_with = unmark_labels(torch.tensor(row["labels"]))
        kind, number = row["input_ids"]
        expected = [0, 0] if kind == 1 else [int(number == 0), 1]
        assert drawn_with.tolist() == expected
        assert row["attention_mask"] == [1, 1]


def test_marks_of_a_data_set_of_narrow_numbers_have_room() -> None:
    narrow = datasets.Features(
        {name: datasets.Sequence(datasets.Value("int32")) for name in ("input_ids", "labels")}
    )
    temperatures = [0.5 + n / 5000 for n in range(2100)]
    rows = [{"input_ids": [3, n], "temperature": t} for n, t in enumerate(temperatures)]
    narrow = datasets.Features({**narrow, "temperature": datasets.Value("float64")})
    rows = [{**row, "labels": row["input_ids"]} for row in rows]
    many = datasets.Dataset.from_list(rows, features=narrow)
    source = Source(many, "many", "synthetic", decoding="columns")
    guard = MixGuard(None, source, human_fraction=0, block_size=1)
    assert max(max(row["labels"]) for row in as_hf_dataset(guard)) > 2**31


class Stream:
    """Rows that can only be gone through."""

    def __init__(self, rows: Any) -> None:
        self.rows = rows

    def __iter__(self) -> Iterator[Any]:
        return iter(self.rows)


@pytest.mark.parametrize("make", [list, Stream, datasets.Dataset.from_list])
def test_a_stream_is_marked_as_a_guard_is(make: Callable[[Any], Any]) -> None:
    stream = MixStream(**sources(make), human_fraction=0.25, block_size=8)
    rows = list(islice(stream, 32))
    assert len(rows) == 32
    for row in rows:
        check(row)
    assert stream.decodings == (COOL, NARROW)


def test_the_rows_of_a_mix_are_matched_by_its_loss() -> None:
    """The whole way: from what a source says to the loss of a batch."""
    guard = guard_of()
    batch = MixCollator()([guard[slot] for slot in range(8)])
    logits = torch.randn(8, 3, 16, generator=torch.Generator().manual_seed(0))
    found = SamplerMatchedLoss(guard)(logits[:, :-1], batch["labels"][:, 1:], reduction="none")
    for row, ids in enumerate(batch["input_ids"].tolist()):
        for place in (1, 2):
            z = logits[row, place - 1]
            drawn = EXPECTED[ids[0]][place]
            if drawn == 1:
                z = z / 0.8
            expected = torch.logsumexp(z, 0) - z[ids[place]]
            # The top 20 of 16 types are all of them, so the second decoding changes nothing here.
            assert found[row, place - 1] == pytest.approx(expected.item(), rel=1e-5)


def test_the_ledger_says_how_rows_were_drawn() -> None:
    guard = guard_of()
    ledger = ledger_of(guard, Shown(0, 16), step=2)
    told = {name: source["decoding"] for name, source in ledger["total"]["sources"].items()}
    assert told == {
        "human": None,
        "first": COOL.to_dict(),
        "second": NARROW.to_dict(),
        "third": "unknown",
    }


def test_what_is_to_be_found_is_told_until_it_is() -> None:
    sought = Source(SECOND, "web", "synthetic", decoding="find")
    guard = MixGuard(HUMAN, sought, human_fraction=0.5, block_size=2)
    assert guard.report().source("web").decoding == "to be found"
    with pytest.raises(ArgumentError, match="for source 'web'"):
        SamplerMatchedLoss(guard)
    before = [guard[slot] for slot in range(len(guard))]
    guard.set_decoding("web", COOL)
    assert guard.decodings == (COOL,)
    assert [guard[slot] for slot in range(len(guard))] == before
    assert guard.report().source("web").decoding == COOL.to_dict()
    with pytest.raises(ArgumentError, match="to be found, of"):
        guard.set_decoding("web", NARROW)


def test_only_a_decoding_can_have_been_found() -> None:
    sought = Source(SECOND, "web", "synthetic", decoding="find")
    stream = MixStream(HUMAN, sought, human_fraction=0.5, block_size=2)
    with pytest.raises(ArgumentError, match="a Decoding"):
        stream.set_decoding("web", 0.8)  # type: ignore[arg-type]
    stream.set_decoding("web", NARROW)
    assert stream.decodings == (NARROW,)


def test_the_ledger_tells_how_a_decoding_was_found() -> None:
    search = DecodingSearch(
        COOL,
        (
            DecodingTrial(COOL, 24, 4.5, 0.1, 0.0, (0.0, 0.0)),
            DecodingTrial(Decoding(), 24, 4.6, 0.1, 0.1, (0.05, 0.15)),
        ),
        nll_before=4.7,
        documents=30,
        steps=48,
        seconds=9.0,
    )
    sought = Source(SECOND, "web", "synthetic", decoding="find")
    guard = MixGuard(HUMAN, sought, human_fraction=0.5, block_size=2)
    guard.set_decoding("web", search)
    assert guard.decodings == (COOL,)
    told = guard.report().source("web").decoding
    found_by = told.pop("found_by")
    assert told == COOL.to_dict()
    assert DecodingSearch.from_dict(found_by) == search
    assert json.loads(json.dumps(found_by)) == found_by


def test_other_columns_must_be_the_same_still() -> None:
    with pytest.raises(ArgumentError, match="only synthetic rows have"):
        MixGuard(
            HUMAN,
            Source([{"input_ids": [1], "text": "a"}], "synthetic", "synthetic", decoding=COOL),
            human_fraction=0.5,
            block_size=2,
        )


def test_a_check_does_not_complain_of_what_the_mix_takes_out() -> None:
    assert "differs" not in str(guard_of().check(near=None))


def test_a_mask_that_nothing_reads_is_a_column_like_others() -> None:
    with pytest.raises(ArgumentError, match="drawn_mask"):
        MixGuard(HUMAN, FIRST, human_fraction=0.5, block_size=2)
