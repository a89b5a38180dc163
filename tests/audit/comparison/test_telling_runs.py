import numpy as np

from collapse_guard.audit.comparison.numbered_words import WordNumbers
from collapse_guard.audit.comparison.runs import number_runs
from collapse_guard.audit.comparison.telling_runs import (
    NumberedTexts,
    TellingRuns,
    telling_runs,
)
from tests.audit.comparison.languages import word, zipf_texts


def found(human: list[str], synthetic: list[str], **settings: int) -> TellingRuns:
    numbers = WordNumbers()
    own, other = (NumberedTexts(texts, numbers.of(texts)) for texts in (human, synthetic))
    runs = number_runs(own.rows, other.rows, 3)
    return telling_runs(own, other, runs, numbers.words, **settings)


def test_what_was_taken_out_and_what_was_put_in_is_named() -> None:
    human = zipf_texts(400, seed=0)
    written = [
        f"{text} Let us, delve into" if n % 4 == 0 else text
        for n, text in enumerate(zipf_texts(400, seed=1))
    ]
    synthetic = [" ".join(each for each in text.split() if each != word(3)) for text in written]
    runs = found(human, synthetic)
    assert [run.words for run in runs.vanished] == [word(3)]
    assert runs.vanished[0].synthetic == 0 < runs.vanished[0].human
    # It has a word more than fits.
    assert [run.words for run in runs.overused] == ["let us delve", "delve into"]
    often = runs.overused[0]
    assert often.human == 0 < often.synthetic
    assert "delve" in often.example
    assert len(often.example) < 100


def test_text_of_the_same_kind_has_nothing_to_tell() -> None:
    listed = 0
    for seed in range(10):
        human, other = (zipf_texts(200, seed=2 * seed + part) for part in range(2))
        runs = found(human, other)
        listed += len(runs.vanished) + len(runs.overused)
    assert listed <= 1


def test_a_word_of_one_article_is_no_habit() -> None:
    """It comes in a burst, so that many occurrences are one piece of evidence."""
    human, other = zipf_texts(400, seed=0), zipf_texts(400, seed=1)
    burst = [f"{text} {'zanzibar ' * 20}" for text in other[100:103]]
    assert not found(human, [*other[:100], *burst, *other[103:]]).overused
    spread = [f"{text} zanzibar" if n % 7 == 0 else text for n, text in enumerate(other)]
    assert found(human, spread).overused[0].words == "zanzibar"


def test_as_many_are_listed_as_were_asked_for() -> None:
    rng = np.random.default_rng(0)
    gone = [" ".join(rng.permutation([f"gone{c}" for c in "abcdefgh"])) for _ in range(200)]
    human = [f"{text} {more}" for text, more in zip(zipf_texts(200, seed=0), gone, strict=True)]
    assert len(found(human, zipf_texts(200, seed=1), most=3).vanished) == 3
