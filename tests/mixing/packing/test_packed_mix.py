import math
import pickle
from collections.abc import Sequence
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch.utils.data import DataLoader
from transformers import Trainer, TrainingArguments

from collapse_guard import ArgumentError, Decoding, MixGuard, MixOrderError, Source, unmark_labels
from collapse_guard.mixing.packing.pack_collator import PackCollator
from collapse_guard.mixing.packing.packed_mix import PackedMix
from tests.mixing.tokens.streams import deepest_fall
from tests.tiny import tiny_llama

HUMAN, SYNTHETIC = 1, 2


def rows(mark: int, lengths: Sequence[int]) -> list[dict[str, list[int]]]:
    """Each begins with its mark and its number."""
    return [
        {"input_ids": ([mark, number % 50] + [3] * length)[:length]}
        for number, length in enumerate(lengths)
    ]


def guard_of(
    human: Sequence[int] = (4, 7, 2, 9) * 6, synthetic: Sequence[int] = (5, 3, 8) * 8, **given: Any
) -> MixGuard:
    arguments = {"human_fraction": 0.3, "block_size": 4, "max_repeats": 50} | given
    return MixGuard(rows(HUMAN, human), rows(SYNTHETIC, synthetic), **arguments)


LENGTHS = st.lists(st.integers(0, 12), min_size=1, max_size=12).filter(any)


@given(human=LENGTHS, synthetic=LENGTHS, length=st.integers(12, 40), epochs=st.integers(1, 2))
@settings(max_examples=settings.default.max_examples // 2)
def test_packs_hold_every_row_whole_and_in_the_stream_s_order(
    human: list[int], synthetic: list[int], length: int, epochs: int
) -> None:
    guard = guard_of(human, synthetic, epochs=epochs)
    packed = PackedMix(guard, length)
    every = [packed[pack] for pack in range(len(packed))]
    rows_of = [guard[slot]["input_ids"] for slot in range(len(guard))]
    assert [token for pack in every for token in pack["input_ids"].tolist()] == list(
        chain.from_iterable(rows_of)
    )
    lengths = [part for pack in every for part in pack["seq_lengths"]]
    assert lengths == [len(row) for row in rows_of if row]
    assert all(len(pack["input_ids"]) <= length for pack in every)

    located, whole = packed.locate(range(len(packed))), guard.locate(range(len(guard)))
    assert located.slot.tolist() == list(range(len(guard)))
    assert located.tokens.tolist() == list(map(len, rows_of))
    for name in ("is_human", "source", "row"):
        assert getattr(located, name).tolist() == getattr(whole, name).tolist()
    assert packed.slots_before(len(packed)) == len(guard)
    assert packed.report(1).slots == packed.slots_before(1) == (located.pack == 0).sum()
    assert packed.report() == guard.report()


@pytest.mark.parametrize("row_format", [None, "numpy", "torch"])
def test_data_sets_make_the_packs_of_lists(row_format: str | None) -> None:
    listed = [rows(mark, (4, 0, 7, 2) * 6) for mark in (HUMAN, SYNTHETIC)]
    made = [datasets.Dataset.from_list(each).with_format(row_format) for each in listed]
    ours, theirs = (
        PackedMix(MixGuard(*each, human_fraction=0.3, block_size=4), 20) for each in (listed, made)
    )
    assert len(ours) == len(theirs)
    for pack in range(len(ours)):
        for name, values in ours[pack].items():
            assert list(values) == list(theirs[pack][name])


@given(
    human=LENGTHS.filter(lambda each: max(each) > 1),
    synthetic=LENGTHS.filter(lambda each: max(each) > 1),
    fraction=st.fractions(0, 1, max_denominator=9),
)
@settings(max_examples=settings.default.max_examples // 2)
def test_a_floor_of_tokens_holds_in_any_packs_in_a_row(
    human: list[int], synthetic: list[int], fraction: Fraction
) -> None:
    """Of the labels that are trained on, which are those that the floor has counted."""
    guard = guard_of(human, synthetic, human_fraction=fraction, unit="tokens", max_repeats=10_000)
    packed = PackedMix(guard, 20)
    trained, is_human = [], []
    for pack in range(len(packed)):
        labels, start = packed[pack]["labels"], 0
        for segment in packed.segments(pack):
            part = labels[start : start + segment.tokens]
            trained.append(int((part != -100).sum()))
            is_human.append(segment.kind == "human")
            start += segment.tokens
    shown = sum(source.tokens or 0 for source in guard.report().sources)
    assert sum(trained) == shown
    longest = max(*human, *synthetic) - 1
    assert deepest_fall(np.array(trained), np.array(is_human), fraction) < longest


def test_a_floor_of_rows_holds_in_any_packs_in_a_row() -> None:
    packed = PackedMix(guard_of(), 20)
    located = packed.locate(range(len(packed)))
    for first in range(len(packed)):
        for last in range(first, len(packed)):
            chosen = (located.pack >= first) & (located.pack <= last)
            human = int(located.is_human[chosen].sum())
            # Half of each block of 4, as ceil(0.3 x 4) is 2.
            assert human >= math.floor(0.5 * chosen.sum())


def test_segments_say_how_they_were_drawn_and_labels_are_marked_so() -> None:
    drawn = {"temperature": [0.7, 1.0, None] * 4}
    old = datasets.Dataset.from_dict({"input_ids": [[SYNTHETIC, 5, 6, 7]] * 12, **drawn})
    new = [{"input_ids": [SYNTHETIC, 8, 9, 4], "drawn_mask": [0, 1, 1, 1]}] * 12
    guard = MixGuard(
        rows(HUMAN, [4] * 12),
        [
            Source(old, "old", "synthetic", generation=1, decoding="columns"),
            Source(new, "new", "synthetic", generation=2, decoding=Decoding(temperature=0.5)),
        ],
        human_fraction=0.5,
        block_size=4,
        length=48,
        max_repeats=50,
    )
    packed = PackedMix(guard, 12)
    seen = set()
    for pack in range(len(packed)):
        row = packed[pack]
        labels, marks = unmark_labels(torch.from_numpy(row["labels"]))
        for segment in packed.segments(pack):
            part = slice(segment.start, segment.start + segment.tokens)
            number = 1 + guard.decodings.index(segment.decoding) if segment.decoding else 0
            assert row["input_ids"][part][0] == (HUMAN if segment.kind == "human" else SYNTHETIC)
            assert labels[part].tolist() == [-100, *row["input_ids"][part][1:].tolist()]
            assert marks[part].tolist() == [0] + [number] * (segment.tokens - 1)
            seen.add((segment.source, segment.generation, segment.decoding))
    assert seen == {
        ("human", 0, None),
        ("old", 1, Decoding(0.7)),
        ("old", 1, Decoding(1.0)),
        ("old", 1, None),
        ("new", 2, Decoding(0.5)),
    }
    with pytest.raises(ArgumentError, match="no loss that knows"):
        packed.__getitems__([0])
    guard.count_losses(1)
    assert len(packed.__getitems__([0])) == 1


class TestLongerRows:
    def test_they_are_refused_unless_they_may_be_cut(self) -> None:
        with pytest.raises(
            ArgumentError, match=r"longest row of 'human', which has 9 tokens.*trun"
        ):
            PackedMix(guard_of(), 8)
        packed = PackedMix(guard_of(), 8, longer="truncate")
        every = packed.locate(range(len(packed)))
        assert every.tokens.max() == 8
        assert sum(len(packed[pack]["input_ids"]) for pack in range(len(packed))) == sum(
            every.tokens
        )

    def test_a_floor_of_tokens_cannot_be_cut(self) -> None:
        with pytest.raises(ArgumentError, match="cut the rows before they are mixed"):
            PackedMix(guard_of(unit="tokens"), 8, longer="truncate")
        assert len(PackedMix(guard_of(unit="tokens"), 9, longer="truncate"))


class TestOrder:
    def test_packs_out_of_order_are_refused(self) -> None:
        packed = PackedMix(guard_of(), 20)
        with pytest.raises(MixOrderError):
            packed.check_loader(DataLoader(packed, shuffle=True))
        with pytest.raises(MixOrderError):
            list(DataLoader(packed, batch_size=3, shuffle=True, collate_fn=list))
        with pytest.raises(MixOrderError):
            packed.__getitems__([2, 5, 3])
        read = DataLoader(packed, batch_size=3, collate_fn=list)
        assert sum(map(len, read)) == len(packed)

    def test_a_process_of_its_own_reads_the_same_packs(self) -> None:
        packed = PackedMix(guard_of(), 20)
        other = pickle.loads(pickle.dumps(packed))
        assert [other[n]["input_ids"].tolist() for n in (3, 0)] == [
            packed[n]["input_ids"].tolist() for n in (3, 0)
        ]


@pytest.mark.parametrize("pack", [-1, 10**6])
def test_packs_that_are_not_there(pack: int) -> None:
    packed = PackedMix(guard_of(), 20)
    for ask in (packed.__getitem__, packed.segments):
        with pytest.raises(IndexError, match="is not from 0 to"):
            ask(pack)
    with pytest.raises(ArgumentError, match="`packs` expected a list of packs"):
        packed.locate([pack])
    with pytest.raises(ArgumentError, match="`pack` expected"):
        packed.report(pack)
    assert packed.locate([]).slot.tolist() == packed.__getitems__([]) == []


@pytest.mark.parametrize(
    "given", [{"length": 1}, {"length": 2.5}, {"longer": "cut"}, {"guard": [3]}]
)
def test_arguments_out_of_range_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError):
        PackedMix(**{"guard": guard_of(), "length": 20, **given})


def test_rows_that_are_not_tokenized_are_refused() -> None:
    text = [{"text": "a"}] * 4
    with pytest.raises(ArgumentError, match="`human` expected rows with `input_ids`"):
        PackedMix(MixGuard(text, text, human_fraction=0.5, block_size=2), 20)


@pytest.mark.slow
@pytest.mark.parametrize("unused", [True, False])
def test_a_plain_trainer_trains_on_packs_as_on_rows(tmp_path: Path, unused: bool) -> None:
    """Its loss is the mean over the tokens of the rows themselves, whatever is packed with what."""
    guard = guard_of(length=24)
    packed = PackedMix(guard, 20)
    model = tiny_llama()
    sums, tokens = 0.0, 0
    with torch.no_grad():
        for slot in range(len(guard)):
            ids = torch.tensor([guard[slot]["input_ids"]])
            loss = model(input_ids=ids, labels=ids).loss
            sums, tokens = sums + float(loss) * (ids.numel() - 1), tokens + ids.numel() - 1
    arguments = TrainingArguments(
        str(tmp_path),
        per_device_train_batch_size=len(packed),
        num_train_epochs=1,
        learning_rate=0.0,
        train_sampling_strategy="sequential",
        remove_unused_columns=unused,
        report_to="none",
        save_strategy="no",
        logging_steps=1,
        disable_tqdm=True,
        use_cpu=True,
        dataloader_pin_memory=False,
    )
    trainer = Trainer(model, arguments, train_dataset=packed, data_collator=PackCollator())
    trainer.train()
    assert trainer.state.log_history[0]["loss"] == pytest.approx(sums / tokens, abs=1e-3)
