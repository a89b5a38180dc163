import math
from collections import Counter

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, strategies as st

from collapse_guard.mixing.order import row_order
from collapse_guard.mixing.order.row_order import RowOrder
from collapse_guard.mixing.strata.strata import Strata


@st.composite
def streams(draw: st.DrawFn) -> RowOrder:
    sizes = draw(st.lists(st.integers(1, 40), min_size=1, max_size=5))
    turns = [draw(st.integers(0, 4 * size)) for size in sizes]
    turns[draw(st.integers(0, len(turns) - 1))] += 1
    order = np.random.default_rng(draw(st.integers(0, 9))).permutation(sum(sizes))
    strata = Strata(np.array(sizes), None, order.astype(np.int32))
    return RowOrder(strata, turns, key=(draw(st.integers(0, 2**64 - 1)), 0))


def strata_of_rows(stream: RowOrder) -> dict[int, int]:
    assert stream.strata.order is not None
    labels = np.repeat(np.arange(len(stream.strata.sizes)), stream.strata.sizes)
    return dict(zip(stream.strata.order.tolist(), labels.tolist(), strict=True))


def draws_per_epoch(stream: RowOrder) -> int:
    return int(stream._turns.sum())


def rows_of(stream: RowOrder, epochs: int) -> npt.NDArray[np.int64]:
    return stream.rows(np.arange(epochs * draws_per_epoch(stream)))[0]


@given(stream=streams(), epochs=st.integers(1, 3))
def test_rows_of_a_stratum_are_shown_equally_often_in_each_epoch_and_in_all(
    stream: RowOrder, epochs: int
) -> None:
    rows, stratum_of = rows_of(stream, epochs), strata_of_rows(stream)
    by_epoch = rows.reshape(epochs, -1)
    for shown in [*by_epoch, rows]:
        counts = Counter(shown.tolist())
        for stratum in range(len(stream.strata.sizes)):
            times = [counts[row] for row in stratum_of if stratum_of[row] == stratum]
            assert max(times) - min(times) <= 1


@given(stream=streams(), epochs=st.integers(1, 3))
def test_half_a_round_lies_between_two_showings_of_a_row(stream: RowOrder, epochs: int) -> None:
    stratum_of = strata_of_rows(stream)
    turns: Counter[int] = Counter()
    last_turn: dict[int, int] = {}
    for row in rows_of(stream, epochs).tolist():
        stratum = stratum_of[row]
        if row in last_turn:
            assert turns[stratum] - last_turn[row] >= stream.strata.sizes[stratum] / 2
        last_turn[row] = turns[stratum]
        turns[stratum] += 1


@given(stream=streams(), share=st.floats(0, 3))
def test_exposures_agree_with_counting(stream: RowOrder, share: float) -> None:
    draws = int(share * draws_per_epoch(stream))
    shown = Counter(stream.rows(np.arange(draws))[0].tolist())
    stratum_of = strata_of_rows(stream)
    for stratum, exposures in enumerate(stream.exposures(draws)):
        counted = Counter(shown[row] for row in stratum_of if stratum_of[row] == stratum)
        assert exposures == counted


def test_exposures_of_a_stretch_that_is_counted_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_order, "_TURNS_AT_A_TIME", 3)
    stream = one_stratum(40, 50)
    rows = rows_of(stream, 2)
    for draws in range(len(rows)):
        shown = Counter(rows[:draws].tolist())
        assert stream.exposures(draws) == [Counter(shown[row] for row in range(40))]


@given(stream=streams(), draws=st.lists(st.integers(0, 10**15), min_size=1, max_size=30))
def test_a_draw_is_the_same_alone_and_among_others(stream: RowOrder, draws: list[int]) -> None:
    together = stream.rows(np.array(draws))[0]
    assert together.tolist() == [stream.rows(np.array([draw]))[0][0] for draw in draws]


def one_stratum(rows: int, turns: int, seed: int = 0) -> RowOrder:
    return RowOrder(Strata.unranked(rows), [turns], key=(seed, 0))


def test_each_round_has_an_order_of_its_own() -> None:
    rounds = rows_of(one_stratum(400, 400), 4).reshape(4, 400)
    for i in range(4):
        for j in range(i):
            # Orders shuffled within quarters agree in about four places by chance.
            assert (rounds[i] == rounds[j]).sum() < 20


def test_the_order_has_nothing_of_the_rows_own_order() -> None:
    first = rows_of(one_stratum(5000, 5000), 1)
    steps = np.abs(np.diff(first))
    assert abs(steps.mean() - 5001 / 3) < 5 * (5000 / math.sqrt(18)) / math.sqrt(5000)


def test_seeds_and_sources_have_orders_of_their_own() -> None:
    strata = Strata.unranked(1000)
    orders = [
        RowOrder(strata, [1000], key=key).rows(np.arange(1000))[0]
        for key in [(0, 0), (0, 1), (1, 0), (1, 1)]
    ]
    for i in range(4):
        for j in range(i):
            assert (orders[i] == orders[j]).sum() < 10


@st.composite
def changing_streams(draw: st.DrawFn) -> tuple[RowOrder, list[list[int]]]:
    """A stream of several runs, some perhaps without draws, and the turns of each of its epochs."""
    sizes = draw(st.lists(st.integers(1, 30), min_size=1, max_size=4))
    runs = [
        [draw(st.integers(0, 3 * size)) * draw(st.integers(0, 1)) for size in sizes]
        for _ in range(draw(st.integers(1, 4)))
    ]
    runs[draw(st.integers(0, len(runs) - 1))][0] += 1
    epochs = [draw(st.integers(1, 3)) for _ in runs]
    order = np.random.default_rng(0).permutation(sum(sizes)).astype(np.int32)
    stream = RowOrder(Strata(np.array(sizes), None, order), runs, key=(1, 0), epochs=epochs[:-1])
    return stream, [run for run, times in zip(runs, epochs, strict=True) for _ in range(times)]


@given(made=changing_streams(), share=st.floats(0, 1))
def test_epochs_that_differ_keep_all_promises(
    made: tuple[RowOrder, list[list[int]]], share: float
) -> None:
    stream, by_epoch = made
    rows, is_first = stream.rows(np.arange(sum(map(sum, by_epoch))))
    stratum_of = strata_of_rows(stream)
    assert is_first.tolist() == [row not in rows[:draw] for draw, row in enumerate(rows)]
    shown: Counter[int] = Counter()
    start = 0
    for turns in by_epoch:
        stop = start + sum(turns)
        in_epoch = Counter(rows[start:stop].tolist())
        shown += in_epoch
        for stratum, turn in enumerate(turns):
            mine = [row for row in stratum_of if stratum_of[row] == stratum]
            assert sum(in_epoch[row] for row in mine) == turn
            for times in (in_epoch, shown):
                counts = [times[row] for row in mine]
                assert max(counts) - min(counts) <= 1
        part = start + int(share * (stop - start))
        of_part = Counter(rows[start:part].tolist())
        for stratum, exposures in enumerate(stream.exposures(part, since=start)):
            mine = [row for row in stratum_of if stratum_of[row] == stratum]
            assert exposures == Counter(of_part[row] for row in mine)
        start = stop


def test_a_stream_of_equal_runs_is_a_stream_of_one() -> None:
    strata = Strata.unranked(40)
    one = RowOrder(strata, [30], key=(5, 0)).rows(np.arange(300))[0]
    many = RowOrder(strata, [[30], [30], [30]], key=(5, 0), epochs=[2, 3]).rows(np.arange(300))[0]
    assert one.tolist() == many.tolist()


def test_a_source_that_is_never_asked_has_shown_nothing() -> None:
    assert RowOrder(Strata.unranked(7), [0], key=(0, 0)).exposures(0) == [Counter({0: 7})]


def test_the_order_of_a_seed_is_the_same_in_every_release() -> None:
    """States of runs say how many rows were drawn, and no more."""
    order = RowOrder(Strata.unranked(12), [12], key=(5, 1))
    assert order.rows(np.arange(24))[0].tolist() == [
        2,
        10,
        9,
        6,
        5,
        3,
        0,
        7,
        4,
        11,
        8,
        1,
        6,
        9,
        2,
        10,
        7,
        3,
        0,
        5,
        4,
        11,
        8,
        1,
    ]
