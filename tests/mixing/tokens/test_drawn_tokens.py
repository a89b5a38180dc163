from fractions import Fraction

import numpy as np
import pytest

from collapse_guard.errors import ArgumentError
from collapse_guard.mixing.order.row_order import RowOrder
from collapse_guard.mixing.quotas.quota import Quota
from collapse_guard.mixing.strata.ranking import Ranking
from collapse_guard.mixing.strata.strata import Strata
from collapse_guard.mixing.tokens.drawn_tokens import DrawnTokens, mean_tokens
from collapse_guard.rows.source import Source

LENGTHS = tuple(np.arange(first, first + 5, dtype=np.int32) for first in (10, 100, 1000))
DRAWS = (4, 2, 3)


def drawn() -> DrawnTokens:
    orders = tuple(
        RowOrder(Strata.unranked(5), [draws], key=(0, source)) for source, draws in enumerate(DRAWS)
    )
    return DrawnTokens(orders, DRAWS, LENGTHS, np.array([True, True, False]))


def test_an_epoch_draws_the_rows_of_its_orders_in_turn() -> None:
    made = drawn()
    for epoch in (0, 1, 2):
        sources, tokens = made.drawn(epoch, human=True)
        assert np.bincount(sources).tolist() == [4, 2]
        for source in (0, 1):
            draws = np.arange(DRAWS[source]) + epoch * DRAWS[source]
            rows, _ = made.orders[source].rows(draws)
            assert tokens[sources == source].tolist() == LENGTHS[source][rows].tolist()
        others, other_tokens = made.drawn(epoch, human=False)
        assert others.tolist() == [2] * 3
        assert made.totals(epoch) == (tokens.sum(), other_tokens.sum())


def test_epochs_show_different_rows() -> None:
    made = drawn()
    assert len({made.totals(epoch) for epoch in range(5)}) > 1


def test_long_epochs_are_read_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = [drawn().drawn(1, human=human) for human in (True, False)]
    monkeypatch.setattr("collapse_guard.mixing.tokens.drawn_tokens._DRAWS_AT_A_TIME", 2)
    for human, (sources, tokens) in zip((True, False), whole, strict=True):
        again = drawn().drawn(1, human=human)
        assert again[0].tolist() == sources.tolist()
        assert again[1].tolist() == tokens.tolist()


def quota() -> Quota:
    source = Source(["a"], "wiki", "human")
    return Quota.of(source, discount=Fraction(1), rows=4, max_repeats=1)


def test_the_mean_is_that_of_what_is_shown() -> None:
    lengths = np.array([10, 20, 30, 40], dtype=np.int32)
    assert mean_tokens(quota(), Strata.unranked(4), lengths) == 25
    rarity = Ranking(np.float32([1, 0, 1, 0]), np.float32([1]))
    boosted = Strata.ranked(rarity, None, boosts=[Fraction(1), Fraction(3)])
    assert mean_tokens(quota(), boosted, lengths) == Fraction(20 + 40 + 3 * (10 + 30), 2 + 6)
    hidden = Strata.ranked(rarity, None, boosts=[Fraction(1), Fraction(0)])
    assert mean_tokens(quota(), hidden, lengths) == 30
    with pytest.raises(ArgumentError, match="`wiki` expected rows with tokens"):
        mean_tokens(quota(), hidden, np.array([5, 0, 5, 0], dtype=np.int32))
