import numpy as np
import pytest
from hypothesis import given, strategies as st

from collapse_guard.audit.filters.entropy_rate import entropy_rates, match_lengths
from collapse_guard.human_text.token_rows import TokenRows


def naive_match_lengths(row: list[int]) -> list[int]:
    """By the definition: the longest run that stands, whole, in what comes before it."""
    found = []
    for at in range(len(row)):
        length = 0
        while at + length < len(row) and any(
            row[start : start + length + 1] == row[at : at + length + 1]
            for start in range(at - length)
        ):
            length += 1
        found.append(length + 1)
    return found


@given(st.lists(st.lists(st.integers(-1, 1), max_size=16), max_size=4))
def test_match_lengths_are_those_of_the_definition(rows: list[list[int]]) -> None:
    expected = [length for row in rows for length in naive_match_lengths(row)]
    assert match_lengths(TokenRows.of(rows)).tolist() == expected


@pytest.mark.parametrize("period", [1, 2, 7, 60])
def test_loops_match_up_to_all_that_came_before(period: int) -> None:
    row = (list(range(period)) * 120)[:120]
    assert match_lengths(TokenRows.of([row])).tolist() == naive_match_lengths(row)


def test_symbols_of_any_size() -> None:
    row = [2**62, -5, 2**62, -5, 0, 2**62]
    assert match_lengths(TokenRows.of([row] * 3)).tolist() == naive_match_lengths(row) * 3


def test_rows_do_not_see_each_other() -> None:
    row = np.random.default_rng(0).integers(0, 3, 50)
    alone = match_lengths(TokenRows.of([row]))
    assert np.array_equal(match_lengths(TokenRows.of([row, row, row])), np.tile(alone, 3))


@pytest.mark.parametrize("symbols", [2, 4, 16])
def test_fair_dice_match_as_long_as_theory_says(symbols: int) -> None:
    """With n symbols before, a run of l occurs with probability 1 - exp(-n symbols^-l)."""
    size, window = 40_000, 20_000
    throws = np.random.default_rng(symbols).integers(0, symbols, size)
    lengths = match_lengths(TokenRows.of([throws]))[window : size - 100]
    runs = np.arange(60.0)
    before = np.arange(window, size - 100, 500)
    expected = np.mean([(1 - np.exp(-n * symbols**-runs)).sum() for n in before])
    assert lengths.mean() == pytest.approx(expected, rel=0.02)


def _markov(stay: float, symbols: int, size: int) -> np.ndarray:
    """A symbol stays with probability `stay`, and else is any other: a walk of uniform steps."""
    generator = np.random.default_rng(int(stay * 100) + symbols)
    steps = np.where(
        generator.random(size) < stay, 0, generator.integers(1, symbols, size)
    )  # fmt: skip
    return np.cumsum(steps) % symbols


def _entropy(shares: list[float]) -> float:
    return float(-sum(share * np.log2(share) for share in shares))


SOURCES = {
    "fair coin": (np.random.default_rng(1).integers(0, 2, 100_000), 1.0),
    "coin of 0.1": (np.random.default_rng(2).random(100_000) < 0.1, _entropy([0.1, 0.9])),
    "fair die": (np.random.default_rng(3).integers(0, 6, 100_000), np.log2(6)),
    "walk of 2": (_markov(0.8, 2, 100_000), _entropy([0.8, 0.2])),
    "walk of 4": (_markov(0.7, 4, 100_000), _entropy([0.7, 0.1, 0.1, 0.1])),
}


@pytest.mark.parametrize("name", SOURCES)
def test_rates_of_sources_that_are_known(name: str) -> None:
    """Convergence is like 1 / log n: within 17% at 100,000 symbols, and nearer than at 1,000."""
    symbols, truth = SOURCES[name]
    whole, start = (
        entropy_rates(TokenRows.of([symbols[:size].astype(np.int64)]))[0]
        for size in (100_000, 1_000)
    )
    assert whole == pytest.approx(truth, rel=0.17)
    assert abs(whole - truth) < abs(start - truth) + 0.02


def test_a_walk_and_the_same_symbols_shuffled_differ() -> None:
    walk = _markov(0.9, 4, 5_000)
    shuffled = np.random.default_rng(0).permutation(walk)
    of_walk, of_shuffled = entropy_rates(TokenRows.of([walk, shuffled]))
    assert of_walk < 0.6 * of_shuffled


def test_symbols_that_are_all_new_read_what_their_number_allows() -> None:
    (rate,) = entropy_rates(TokenRows.of([np.arange(1000)]))
    assert rate == pytest.approx(1 / np.mean(1 / np.log2(np.arange(2, 1001))))


def test_rows_without_a_pair_of_symbols_have_no_rate() -> None:
    assert np.isnan(entropy_rates(TokenRows.of([[], [3]]))).all()
    assert entropy_rates(TokenRows.of([])).shape == (0,)
