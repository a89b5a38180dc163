import math

import numpy as np
import pytest

from collapse_guard.audit.comparison.coverage import Coverage, coverage
from collapse_guard.audit.comparison.numbered_words import WordNumbers
from collapse_guard.audit.comparison.runs import number_runs
from tests.audit.comparison.languages import word, zipf_texts


def found(human: list[str], synthetic: list[str], *, length: int = 1, seed: int = 0) -> Coverage:
    numbers = WordNumbers()
    runs = number_runs(numbers.of(human), numbers.of(synthetic), length)[-1]
    return coverage(runs, length=length, seed=seed)


def _in_pairs(text: str) -> str:
    numbers = ["abcdefghij".index(each[-1]) + 10 * len(each) for each in text.split()]
    hashes = [sum(map(ord, each)) % 97 for each in text.split()]
    return " . ".join(
        f"{word(one)}x {word(other)}y" for one, other in zip(numbers, hashes, strict=True)
    )


def test_fresh_text_of_the_same_kind_is_alike() -> None:
    """The 95% intervals hold 1 in nearly all of many repetitions, and are not endless."""
    inside, widths = [], []
    for seed in range(40):
        human, other = (zipf_texts(150, seed=2 * seed + part) for part in range(2))
        for relative in (
            (one := found(human, other, seed=seed)).covered,
            one.frequency,
            one.variety,
        ):
            inside.append(relative.low <= 1 <= relative.high)
            widths.append(relative.high - relative.low)
    assert np.mean(inside) >= 0.9
    assert np.mean(widths) < 0.5


@pytest.mark.parametrize("length", [1, 2])
def test_text_drawn_cold_has_lost_what_is_rare(length: int) -> None:
    human, cold = zipf_texts(400, seed=0), zipf_texts(400, seed=1, temperature=0.7)
    if length == 2:
        # Each of them a pair of common words.
        human, cold = ([_in_pairs(text) for text in texts] for texts in (human, cold))
    one = found(human, cold, length=length)
    for relative in (one.covered, one.frequency):
        assert relative.low <= relative.value <= relative.high < 0.9
    assert one.variety.value < 0.9


def test_how_much_synthetic_text_there_is_makes_no_difference() -> None:
    human = zipf_texts(400, seed=0)
    once, often = (
        found(human, zipf_texts(texts, seed=1, temperature=0.8)) for texts in (400, 4_000)
    )
    assert once.frequency.value == pytest.approx(often.frequency.value, abs=0.08)
    assert once.covered.value == pytest.approx(often.covered.value, abs=0.08)


def test_neighbours_that_share_their_names_do_not_make_the_yardstick_easy() -> None:
    """Lines of one article: a yardstick of other lines of it would call all new articles poor."""

    def articles(seed: int) -> list[str]:
        base = zipf_texts(600, seed=seed, words=20)
        return [
            f"{line} name{'abcdefghij'[n % 10]}{'x' * (n // 12 + 50 * seed)}"
            for n, line in enumerate(base)
        ]

    one = found(articles(0), articles(1))
    # Names are of one article only, so that other human text has as few of them.
    assert one.covered.low <= 1 <= one.covered.high


def test_nothing_is_said_of_rare_words_where_there_are_none() -> None:
    one = found(["wa wb"] * 600, ["wa"] * 1_200)
    assert all(map(math.isnan, (one.rare, one.human, one.covered.value, one.frequency.low)))


def test_the_same_seed_gives_the_same_figures() -> None:
    human, other = zipf_texts(100, seed=0), zipf_texts(100, seed=1)
    assert found(human, other) == found(human, other)
    assert found(human, other) != found(human, other, seed=1)


def test_text_without_a_single_rare_word_covers_nothing() -> None:
    one = found(zipf_texts(200, seed=0), ["wa wb wa wb"] * 500)
    assert one.covered.value == one.frequency.value == 0
    assert one.covered.low == 0
