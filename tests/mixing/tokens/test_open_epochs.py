from fractions import Fraction

import numpy as np
import pytest

from collapse_guard.mixing.quotas.quota import Quota
from collapse_guard.mixing.quotas.split import Dry
from collapse_guard.mixing.strata.strata import Strata
from collapse_guard.mixing.tokens.open_epochs import OpenEpochs
from collapse_guard.rows.source import Kind, Source, WhenDry


def epochs(
    human: int = 10, synthetic: int = 10, *, slots: int = 20, when_dry: WhenDry = "error"
) -> OpenEpochs:
    kinds: tuple[tuple[Kind, int], ...] = (("human", human), ("synthetic", synthetic))
    quotas = [
        Quota.of(
            Source([0], kind, kind, when_dry=when_dry if kind == "synthetic" else "error"),
            discount=Fraction(1),
            rows=rows,
            max_repeats=2,
        )
        for kind, rows in kinds
        if rows
    ]
    return OpenEpochs(
        quotas,
        [Strata.unranked(quota.rows) for quota in quotas],
        range(len(quotas)),
        tuple(np.full(quota.rows, 3 + 2 * quota.is_human, np.int32) for quota in quotas),
        slots,
        2,
        0,
    )


@pytest.mark.parametrize(
    ("human", "synthetic", "slots", "bounds"),
    [
        (100, 100, 20, (0, 20)),
        (10, 100, 30, (0, 20)),
        (100, 10, 30, (10, 30)),
        (10, 10, 30, (10, 20)),
        (10, 10, 40, (20, 20)),
        (10, 0, 20, (20, 20)),
        (0, 10, 20, (0, 0)),
    ],
)
def test_bounds_are_what_rows_and_repeats_allow(
    human: int, synthetic: int, slots: int, bounds: tuple[int, int]
) -> None:
    assert epochs(human, synthetic, slots=slots).bounds() == bounds


@pytest.mark.parametrize(("human", "synthetic"), [(10, 9), (0, 19), (19, 0), (3, 3)])
def test_a_source_is_dry_where_no_number_of_human_rows_works(human: int, synthetic: int) -> None:
    assert isinstance(epochs(human, synthetic, slots=40).bounds(), Dry)


def test_human_rows_that_take_over_are_drawn_beside_those_of_the_floor() -> None:
    made = epochs(100, 5, slots=30, when_dry="human")
    assert made.bounds() == (0, 30)
    assert made.split(4) == (20, 10)
    assert made.split(25) == (25, 5)
    assert isinstance(made.split(4, slots=300), Dry)


def test_how_far_human_tokens_are_ahead_of_their_floor() -> None:
    # 8 of 20 rows: 40 tokens, and 12 x 3 others.
    assert epochs().ahead(8, Fraction(1, 2)) == 40 / 2 - 36 / 2
    assert epochs().drawn(8).draws == (8, 12)
