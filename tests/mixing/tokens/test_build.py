"""What a floor of tokens promises, for drawn lengths, floors, sources, blocks and epochs."""

import pickle
from collections import Counter
from fractions import Fraction
from typing import Any

import datasets
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from torch.utils.data import DataLoader, RandomSampler

from collapse_guard import ArgumentError, MixGuard, MixOrderError, Source
from tests.mixing.tokens.streams import (
    Lengths,
    Mix,
    deepest_fall,
    heavy_tailed,
    itself,
    mixes,
    tokens_of,
)


def guard_of(human: Any, synthetic: Any, **settings: Any) -> MixGuard:
    arguments: dict[str, Any] = {
        "human_fraction": 0.3,
        "block_size": 8,
        "unit": "tokens",
        "lengths": itself,
    }
    return MixGuard(human, synthetic, **(arguments | settings))


@given(mix=mixes())
def test_any_rows_in_a_row_hold_the_floor_less_one_longest_row(mix: Mix) -> None:
    guard = mix.guard()
    located = guard.locate(range(len(guard)))
    tokens, longest = tokens_of(guard), max(map(max, mix.human + mix.synthetic))
    # Twice, as where a loader runs on from the end of the stream into its beginning.
    fall = deepest_fall(np.tile(tokens, 2), np.tile(located.is_human, 2), mix.fraction)
    assert fall < longest or fall == 0 == tokens.sum()
    # From the beginning of any epoch on, nothing is missing at all.
    for start in range(0, len(guard), len(guard) // mix.epochs):
        human = np.cumsum((tokens * located.is_human)[start:])
        assert all(
            int(ours) >= mix.fraction * int(every)
            for ours, every in zip(human, np.cumsum(tokens[start:]), strict=True)
        )


@given(mix=mixes(), batch=st.integers(1, 16))
def test_every_batch_holds_the_floor_less_one_longest_row(mix: Mix, batch: int) -> None:
    guard = mix.guard()
    longest = max(map(max, mix.human + mix.synthetic))
    for start in range(0, len(guard), batch):
        slots = range(start, min(start + batch, len(guard)))
        rows, is_human = guard.__getitems__(slots), guard.locate(slots).is_human
        human = sum(row for row, ours in zip(rows, is_human, strict=True) if ours)
        assert human >= mix.fraction * sum(rows) - longest


@given(mix=mixes())
def test_the_report_is_what_the_slots_show(mix: Mix) -> None:
    guard = mix.guard()
    located, tokens = guard.locate(range(len(guard))), tokens_of(guard)
    for slots in {0, 1, len(guard) // 2, len(guard)}:
        report = guard.report(slots)
        for number, source in enumerate(report.sources):
            chosen = located.source[:slots] == number
            times = Counter(located.row[:slots][chosen].tolist())
            assert source.shown == chosen.sum()
            assert source.unique == len(times)
            assert source.repeated == sum(count > 1 for count in times.values())
            assert source.tokens == tokens[:slots][chosen].sum()
        human = int((tokens * located.is_human)[:slots].sum())
        assert report.human_token_share == human / max(int(tokens[:slots].sum()), 1)
        for epoch in report.epochs[1:]:
            start = epoch.epoch * len(guard) // mix.epochs
            part = slice(start, start + epoch.slots)
            shown = [source.tokens for source in epoch.sources]
            assert sum(shown) == tokens[part].sum()


@given(mix=mixes(), cap=st.integers(1, 4))
@settings(max_examples=settings.default.max_examples // 2)
def test_no_row_is_shown_more_often_than_it_may(mix: Mix, cap: int) -> None:
    try:
        guard = mix.guard(max_repeats=cap)
    except ArgumentError as error:
        assert f"max_repeats={cap}" in str(error)  # noqa: PT017
        return
    located = guard.locate(range(len(guard)))
    for epoch in np.split(np.arange(len(guard)), mix.epochs):
        rows = zip(located.source[epoch].tolist(), located.row[epoch].tolist(), strict=True)
        assert max(Counter(rows).values()) <= cap
    seen: set[tuple[int, int]] = set()
    for slot, row in enumerate(zip(located.source.tolist(), located.row.tolist(), strict=True)):
        assert located.is_first[slot] == (row not in seen)
        seen.add(row)


@given(mix=mixes(), data=st.data())
@settings(max_examples=settings.default.max_examples // 4)
def test_any_process_finds_the_same_row_in_a_slot(mix: Mix, data: st.DataObject) -> None:
    guard = mix.guard()
    located = guard.locate(range(len(guard)))
    slots = data.draw(st.lists(st.integers(0, len(guard) - 1), max_size=9))
    for other in (mix.guard(), pickle.loads(pickle.dumps(guard._plan))):
        again = other.locate(np.array(slots, dtype=np.int64))
        assert again.source.tolist() == located.source[slots].tolist()
        assert again.row.tolist() == located.row[slots].tolist()


@pytest.mark.parametrize("fraction", [0.1, 0.3, 0.9])
def test_a_long_stream_spends_few_more_human_tokens_than_asked_for(fraction: float) -> None:
    """With a tail that is no more than usual; one row of 10,000 may be a tenth of an epoch."""
    human, synthetic = (heavy_tailed(5000, seed, longest=2000) for seed in (1, 2))
    guard = guard_of(Lengths(human), Lengths(synthetic), human_fraction=fraction, max_repeats=9)
    share = guard.report().human_token_share
    assert share is not None
    assert fraction <= share < fraction + 0.01
    assert len(guard) == 10_000
    # Across many of the places for which sums are kept.
    located, tokens = guard.locate(range(9000)), tokens_of(guard)[:9000]
    shown = [source.tokens for source in guard.report(9000).sources]
    assert shown == [tokens[located.source == source].sum() for source in (0, 1)]


def test_sources_share_the_tokens_of_their_kind_by_weight() -> None:
    long, short = Lengths([90, 110] * 100), Lengths([9, 11] * 200)
    guard = guard_of(
        [Source(long, "books", "human", weight=2), Source(short, "chats", "human")],
        Lengths([40, 60] * 500),
        length=400,
    )
    books, chats, model = (source.tokens or 0 for source in guard.report().sources)
    assert books / (books + chats) == pytest.approx(2 / 3, abs=0.02)
    assert (books + chats) / (books + chats + model) == pytest.approx(0.3, abs=0.01)


def test_rows_of_one_length_are_mixed_as_rows_are() -> None:
    human, synthetic = Lengths([7] * 60), Lengths([7] * 140)
    tokens = guard_of(human, synthetic, length=80)
    rows = MixGuard(human, synthetic, human_fraction=0.3, block_size=10, length=80)
    for guard in (tokens, rows):
        is_human = guard.locate(range(80)).is_human
        assert is_human.reshape(8, 10).sum(axis=1).tolist() == [3] * 8


def test_labels_are_counted_where_nothing_else_says_it() -> None:
    def rows(count: int, trained: int) -> datasets.Dataset:
        labels = [-100] * (20 - trained) + [5] * trained
        return datasets.Dataset.from_list([{"input_ids": [5] * 20, "labels": labels}] * count)

    guard = guard_of(rows(60, 3), rows(60, 9), human_fraction=0.25, lengths=None, length=80)
    # Three of four rows train 3 tokens and one 9: half of the tokens; so half are a quarter.
    assert guard.locate(range(80)).is_human.mean() == pytest.approx(0.5, abs=0.02)
    assert guard.report().human_token_share == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize("dry", ["human", "synthetic"])
def test_too_long_an_epoch_is_refused_with_a_length_that_works(dry: str) -> None:
    sizes = {"human": 600, "synthetic": 600, dry: 20}
    sources = [Lengths([5, 15] * (size // 2)) for size in sizes.values()]
    message = rf"about \d+ slots at most.*20 rows in `{dry}`"
    with pytest.raises(ArgumentError, match=message) as caught:
        guard_of(*sources, max_repeats=2, length=400)
    most = int(str(caught.value).split("about ")[1].split()[0])
    # 40 showings are 30% of 133 rows of the same length, and 70% of 57.
    assert abs(most - {"human": 133, "synthetic": 57}[dry]) <= 8
    assert len(guard_of(*sources, max_repeats=2, length=most - 8)) == most - 8


def test_human_rows_take_over_from_a_source_that_is_dry() -> None:
    model = Source(Lengths([5, 15] * 10), "model", "synthetic", when_dry="human")
    guard = guard_of(Lengths([10] * 400), model, max_repeats=2, length=400)
    shown = {source.name: source.shown for source in guard.report().sources}
    assert shown == {"human": 360, "model": 40}
    located = guard.locate(range(400))
    per_tenth = located.is_human.reshape(10, 40).sum(axis=1)
    assert per_tenth.max() - per_tenth.min() <= 4


@pytest.mark.parametrize("fraction", [0, 1])
def test_one_kind_alone(fraction: int) -> None:
    human, synthetic = (Lengths([3, 5]), None) if fraction else (None, Lengths([3, 5]))
    guard = guard_of(human, synthetic, human_fraction=fraction, length=8, epochs=2)
    assert guard.locate(range(16)).is_human.tolist() == [bool(fraction)] * 16
    assert guard.report().human_token_share == fraction


def test_rows_that_train_nothing_are_refused() -> None:
    with pytest.raises(ArgumentError, match="`human` expected rows with tokens that are trained"):
        guard_of(Lengths([0] * 5), Lengths([3] * 5))
    with pytest.raises(ArgumentError, match="`unit` expected tokenized rows"):
        guard_of([{"text": "a"}], [{"text": "b"}], lengths=None)


def test_more_tokens_than_can_be_counted_are_refused() -> None:
    rows = Lengths([2**31 - 1] * 5)
    with pytest.raises(ArgumentError, match="`length` expected an epoch of at most"):
        guard_of(rows, rows, length=2**31 - 8, max_repeats=2**31 - 1)


def test_a_shuffled_loader_is_refused_as_ever() -> None:
    guard = guard_of(Lengths([3] * 100), Lengths([5] * 100))
    with pytest.raises(MixOrderError):
        guard.check_loader(DataLoader(guard, sampler=RandomSampler(guard)))
    with pytest.raises(MixOrderError):
        list(DataLoader(guard, batch_size=4, shuffle=True))
    assert sum(len(batch) for batch in DataLoader(guard, batch_size=4)) == len(guard)


def test_the_floor_is_the_decimal_that_was_written() -> None:
    guard = guard_of(Lengths([10] * 50), Lengths([10] * 50), human_fraction=0.3, length=40)
    assert guard.locate(range(40)).is_human.sum() == 12
    assert guard._plan.tokens is not None
    assert guard._plan.tokens.floor == Fraction(3, 10)
