from fractions import Fraction

import pytest
from hypothesis import given, strategies as st

from collapse_guard.mixing.tokens.human_rows import fewest_human_rows, first_guess


class TestFirstGuess:
    def test_rows_of_one_length_take_the_share_itself(self) -> None:
        assert first_guess(Fraction(3, 10), 100, human=8.0, synthetic=8.0) == 30

    def test_long_human_rows_are_fewer(self) -> None:
        # 10 x 90 of 10 x 90 + 90 x 10 tokens are a half.
        assert first_guess(Fraction(1, 2), 100, human=90.0, synthetic=10.0) == 10

    @pytest.mark.parametrize(("floor", "rows"), [(0, 0), (1, 100)])
    def test_the_ends_need_no_means(self, floor: int, rows: int) -> None:
        assert first_guess(Fraction(floor), 100, human=1.0, synthetic=1.0) == rows


class TestFewestHumanRows:
    @given(
        needed=st.integers(0, 5000),
        guess=st.integers(0, 5000),
        per_row=st.floats(0.1, 10),
        noise=st.integers(0, 40),
    )
    def test_what_is_found_suffices_and_is_close(
        self, needed: int, guess: int, per_row: float, noise: int
    ) -> None:
        looks = []

        def ahead(rows: int) -> float:
            looks.append(rows)
            return 2.0 * (rows - needed) + rows * 7919 % (noise + 1)

        found = fewest_human_rows(ahead, guess=guess, per_row=per_row, least=0, most=5000)
        assert found is not None
        assert ahead(found) >= 0
        assert len(looks) < 30
        if per_row == 2.0 or guess <= needed <= guess + 1:
            assert found - needed <= 10

    def test_it_comes_down_as_well_as_up(self) -> None:
        for guess in (0, 300, 700, 1000):
            found = fewest_human_rows(
                lambda rows: 3.0 * rows - 900, guess=guess, per_row=3.0, least=0, most=1000
            )
            assert found in (300, 301)

    def test_it_keeps_within_what_sources_allow(self) -> None:
        def ahead(rows: int) -> float:
            assert 5 <= rows <= 9
            return rows - 7.0

        assert fewest_human_rows(ahead, guess=0, per_row=1.0, least=5, most=9) == 7
        assert fewest_human_rows(ahead, guess=50, per_row=1.0, least=5, most=9) == 7

    def test_none_where_the_most_does_not_suffice(self) -> None:
        assert fewest_human_rows(lambda _: -1.0, guess=3, per_row=1.0, least=0, most=9) is None
