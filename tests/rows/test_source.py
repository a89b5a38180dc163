import math
from typing import Any

import pytest
from torch.utils.data import ConcatDataset

from collapse_guard import Decoding, Source
from collapse_guard.errors import ArgumentError
from collapse_guard.mixing import MixGuard
from collapse_guard.rows.source import told_decoding
from tests.mixing.conftest import Count, make_rows


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": ""}, "`name` expected a text"),
        ({"name": 3}, "`name` expected a text"),
        ({"kind": "robot"}, "`kind` expected one of 'human', 'synthetic', but got 'robot'"),
        ({"when_dry": "wrap"}, "`when_dry` expected one of 'error', 'stop', 'human'"),
        ({"generation": -1}, "`generation` expected a whole number from 0"),
        ({"kind": "human", "generation": 1}, "`generation` expected 0 for human rows"),
        ({"weight": 0}, "`weight` expected a number above 0"),
        ({"weight": math.nan}, "`weight` expected a number above 0"),
        ({"weight": "1"}, "`weight` expected a number above 0"),
        ({"min_fraction": -0.1}, "`min_fraction` expected a number from 0 to 1"),
        ({"max_fraction": 1.1}, "`max_fraction` expected a number from 0 to 1"),
        ({"max_fraction": 0}, "`max_fraction` expected a share above 0"),
        ({"min_fraction": 0.5, "max_fraction": 0.4}, "not below min_fraction=0.5"),
        ({"max_repeats": 0}, "`max_repeats` expected a whole number from 1"),
        ({"num_rows": 0}, "`num_rows` expected a whole number from 1"),
        ({"kind": "human", "decoding": "columns"}, "`decoding` expected None for human rows"),
        ({"decoding": "guess"}, "`decoding` expected a Decoding, a list of them"),
        ({"decoding": []}, "`decoding` expected a Decoding, a list of them"),
        ({"decoding": [Decoding(temperature=0.8), 0.8]}, "`decoding` expected a Decoding, a list"),
    ],
)
def test_values_that_cannot_work_are_refused(settings: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {"rows": [1], "name": "model", "kind": "synthetic"} | settings
    with pytest.raises(ArgumentError, match=message):
        Source(**arguments)


def guard(human: Any, synthetic: Any, **settings: Any) -> MixGuard:
    arguments: dict[str, Any] = {"human_fraction": 0.5, "block_size": 4} | settings
    return MixGuard(human, synthetic, **arguments)


def test_the_sources_are_those_that_have_slots_human_ones_first() -> None:
    wiki, news = Source(Count(9), "wiki", "human"), Source(Count(9), "news", "human")
    model = Source(Count(9), "model", "synthetic", generation=3, licence="CC0-1.0")
    assert guard([wiki, news], model).sources == (wiki, news, model)
    assert guard((wiki,), [model], human_fraction=1).sources == (wiki,)
    assert guard([wiki], model, human_fraction=0).sources == (model,)
    plain = guard(Count(9), [model]).sources[0]
    assert (plain.name, plain.kind, plain.generation) == ("human", "human", 0)


def test_plain_rows_and_sources_of_them_are_one_stream() -> None:
    plain = guard(Count(30), Count(50)).locate(range(80))
    described = guard(
        Source(Count(30), "wiki", "human"), [Source(Count(50), "model", "synthetic")]
    ).locate(range(80))
    for one, other in zip(plain, described, strict=True):
        assert one.tolist() == other.tolist()


def test_another_source_leaves_the_orders_of_the_rest_alone() -> None:
    first, second = Source(Count(40), "first", "human"), Source(Count(40), "second", "human")
    alone = guard(first, Count(80), length=160).locate(range(160))
    both = guard([first, second], Count(80), length=160).locate(range(160))
    mine = both.row[both.source == 0]
    # The last stretch that is shuffled as one ends with the epoch, and the epochs differ.
    whole_stretches = 40 - 40 % 11
    assert (
        mine[:whole_stretches].tolist() == alone.row[alone.source == 0][:whole_stretches].tolist()
    )
    assert mine.tolist() != both.row[both.source == 1].tolist()


@pytest.mark.parametrize(
    ("human", "synthetic", "message"),
    [
        (Source([1], "a", "synthetic"), [1], "`human` expected rows, or sources of kind 'human'"),
        ([1], [Source([1], "a", "human")], "`synthetic` expected rows, or sources of kind"),
        ([Source([1], "a", "human"), [1, 2]], [1], "`human` expected rows, or sources of kind"),
        (Source([1], "a", "human"), Source([1], "a", "synthetic"), "`name` expected a name of its"),
        (Source([1], "synthetic", "human"), [1], "`name` expected a name of its own"),
        (Source([], "wiki", "human"), [1], "`wiki` expected from 1 to"),
        ([Source([1], "a", "human"), Source([], "b", "human")], [1], "`b` expected from 1 to"),
        (Source(ConcatDataset, "wiki", "human"), [1], "`wiki` expected rows with a length"),
    ],
)
def test_sources_that_do_not_fit_are_refused(human: Any, synthetic: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        guard(human, synthetic)


def test_columns_are_compared_over_all_sources() -> None:
    rows = make_rows(1, 5)
    others = [{"text": "", **row} for row in rows]
    model = Source(rows, "model", "synthetic")
    with pytest.raises(ArgumentError, match=r"`odd` expected .*only odd rows have \['text'\]"):
        guard(rows, [model, Source(others, "odd", "synthetic")])
    with pytest.raises(ArgumentError, match="`odd` expected rows of the same kind"):
        guard(Source(rows, "wiki", "human"), [model, Source([1, 2], "odd", "synthetic")])


def test_each_source_has_an_order_of_its_own() -> None:
    humans = [Source(Count(500), f"human{n}", "human") for n in range(3)]
    models = [Source(Count(500), f"model{n}", "synthetic") for n in range(3)]
    mixed = guard(humans, models, length=3000)
    located = mixed.locate(range(3000))
    orders = [located.row[located.source == number] for number in range(6)]
    for i in range(6):
        for j in range(i):
            assert (orders[i] == orders[j]).sum() < 15


def test_rows_do_not_spill_into_messages() -> None:
    assert repr(Source([1] * 9, "wiki", "human", quality=[0.5] * 9)).count("0.5") == 0


def test_a_ledger_tells_how_rows_were_drawn() -> None:
    def told(kind: Any = "synthetic", **settings: Any) -> Any:
        return told_decoding(Source(make_rows(1, 3), "a", kind, **settings))

    cold, hot = Decoding(temperature=0.8), Decoding(temperature=1.2)
    assert told("human") is None
    assert told() == "unknown"
    assert told(decoding="find") == "to be found"
    assert told(decoding="columns") == "columns"
    assert told(decoding=cold) == cold.to_dict()
    assert told(decoding=[cold, hot]) == [cold.to_dict(), hot.to_dict()]
    found = told(decoding=hot, found_by={"texts": 7})
    assert found == {**hot.to_dict(), "found_by": {"texts": 7}}
