from collections import Counter

import numpy as np
import pytest

from collapse_guard.audit.forms.letters import letter_distance, profile
from tests.audit.texts import as_text, random_rows

ENGLISH = "the weather in the north of the country will be cold and wet for the rest of the week"
GERMAN = "das wetter im norden des landes wird für den rest der woche kalt und nass bleiben"


def texts(words: str, count: int, seed: int) -> list[str]:
    generator = np.random.default_rng(seed)
    return [" ".join(generator.choice(words.split(), 40)) for _ in range(count)]


def runs(texts: list[str]) -> Counter[str]:
    cleaned = (
        " ".join("".join(c if c.isalpha() else " " for c in text.lower()).split(" "))
        for text in texts
    )
    return Counter(text[at : at + 3] for text in cleaned for at in range(len(text) - 2))


def test_the_distance_is_that_of_the_counts() -> None:
    ours, theirs = texts(ENGLISH, 50, 1), texts(GERMAN, 60, 2)
    one, other = runs(ours), runs(theirs)
    expected = sum(abs(one[run] / one.total() - other[run] / other.total()) for run in one | other)
    found = letter_distance(profile(ours), profile(theirs))
    assert found is not None
    # Two runs in one bucket hide a little of it.
    assert found.size == pytest.approx(expected / 2, abs=0.02)
    assert found.low < found.size < found.high


def test_two_languages_lie_further_apart_than_halves_of_one() -> None:
    human = profile(texts(ENGLISH, 400, 1))
    same = letter_distance(profile(texts(ENGLISH, 400, 2)), human)
    other = letter_distance(profile(texts(GERMAN, 400, 3)), human)
    assert same is not None
    assert other is not None
    assert same.size < 2 * same.among_human < 0.1
    assert other.low > 0.5


def test_the_interval_holds() -> None:
    """Around what very many texts show."""
    words = [as_text(row) for row in random_rows(2, seed=1, least=40, most=41)]
    mixed = [f"{words[0]} {words[1]}".replace("w", "x").replace("1", "a"), words[0]]

    def drawn(seed: int, count: int, which: int) -> np.ndarray:
        return profile(texts(mixed[which].replace("2", "b").replace("5", "c"), count, seed))

    truth = letter_distance(drawn(0, 8000, 0), drawn(1, 8000, 1))
    assert truth is not None
    found = [
        letter_distance(drawn(seed, 300, 0), drawn(1000 + seed, 300, 1)) for seed in range(2, 32)
    ]
    held = [each.low <= truth.size <= each.high for each in found if each is not None]
    assert len(held) == 30
    assert sum(held) >= 24


def test_too_few_texts_tell_nothing() -> None:
    few, many = profile(texts(ENGLISH, 9, 1)), profile(texts(ENGLISH, 20, 1))
    assert letter_distance(few, many) is None
    assert letter_distance(many, profile(["12"] * 20)) is None
    assert profile(["", "a", "ab"]).sum() == 0
