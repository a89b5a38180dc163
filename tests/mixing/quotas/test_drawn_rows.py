from fractions import Fraction

import numpy as np

from collapse_guard.mixing.quotas.drawn_rows import row_order
from collapse_guard.mixing.strata.ranking import Ranking
from collapse_guard.mixing.strata.strata import Strata


def test_the_draws_of_each_epoch_are_split_among_strata_by_their_weight() -> None:
    rarity = Ranking(np.float32([0, 0, 1, 1]), np.float32([1]))
    strata = Strata.ranked(rarity, None, boosts=[Fraction(1), Fraction(3)])
    order = row_order(strata, draws=[4, 8], epochs=[2, 1], max_repeats=3, key=(0, 0))
    rows, _ = order.rows(np.arange(16))
    epochs = [rows[:4], rows[4:8], rows[8:]]
    assert [np.isin(epoch, [2, 3]).sum() for epoch in epochs] == [3, 3, 6]
