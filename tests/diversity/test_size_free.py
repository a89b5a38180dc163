"""What drifts with the amount of text and what does not: one fixed Zipf law, and text that bunches.

In real text words come in bunches, a document of its own ones. What is free of size on independent
tokens may drift there.
"""

from collections.abc import Callable
from inspect import signature
from typing import Any

import numpy as np
import pytest

import collapse_guard.diversity as diversity
from collapse_guard.diversity import SIZE_FREE
from tests.diversity.texts import LAW, VOCABULARY, draw

SIZES = (1_000, 10_000, 100_000)
Texts = Any
Reading = Callable[[Texts], float]

# More draws where there is less text, so that what moves is the estimator and not the noise.
DRAWS = {150: 300, 1_000: 150, 10_000: 30, 100_000: 5}

REFERENCE = draw(50_000, np.random.default_rng(1))
HUMAN = draw(100_000, np.random.default_rng(2))
COOLED = LAW**1.2 / (LAW**1.2).sum()

SIZE_FREE_READINGS: dict[str, Reading] = {
    "rare_ngram_survival": lambda texts: diversity.rare_ngram_survival(
        texts, HUMAN, REFERENCE, n=1, max_count=5, budget=500
    ),
    "rarefied_coverage": lambda texts: diversity.rarefied_coverage(texts, budget=150),
    "rarefied_types": lambda texts: diversity.rarefied_types(texts, budget=150),
    "rep_n_diversity": lambda texts: diversity.rep_n_diversity(texts, length=100),
}

AT_A_BUDGET: dict[str, Reading] = {
    "chao_shen_entropy": lambda texts: diversity.chao_shen_entropy(texts, budget=900),
    "compression_ratio": lambda texts: diversity.compression_ratio(texts, budget=3_000),
    "distinct_n": lambda texts: diversity.distinct_n(texts, 2, budget=900),
    "ead": lambda texts: diversity.ead(texts, vocab_size=VOCABULARY, budget=900),
    "good_turing_coverage": lambda texts: diversity.good_turing_coverage(texts, budget=900),
    "plug_in_entropy": lambda texts: diversity.plug_in_entropy(texts, budget=900),
    "self_bleu": lambda texts: diversity.self_bleu(texts, num_texts=9),
    "self_repetition": lambda texts: diversity.self_repetition(texts, num_texts=9, n=1),
    "vendi_score": lambda texts: diversity.vendi_score(diversity.ngram_kernel(texts, num_texts=9)),
}


def average(reading: Reading, tokens: int, law: np.ndarray[Any, Any] = LAW) -> float:
    generator = np.random.default_rng(tokens)
    return float(np.mean([reading(draw(tokens, generator, law=law)) for _ in range(DRAWS[tokens])]))


def test_every_reading_is_of_one_kind_or_the_other() -> None:
    readings = {
        name
        for name in diversity.__all__
        if callable(getattr(diversity, name))
        and {"budget", "num_texts", "length", "kernel"}
        & signature(getattr(diversity, name)).parameters.keys()
    } - {"ngram_kernel"}
    assert set(SIZE_FREE_READINGS) == SIZE_FREE
    assert set(SIZE_FREE_READINGS) | set(AT_A_BUDGET) == readings


@pytest.mark.slow
@pytest.mark.parametrize("law", [LAW, COOLED], ids=["human", "cooled"])
@pytest.mark.parametrize("name", sorted(SIZE_FREE))
def test_size_free_readings_stay_where_they_are(name: str, law: np.ndarray[Any, Any]) -> None:
    values = [average(SIZE_FREE_READINGS[name], tokens, law) for tokens in SIZES]
    assert max(values) / min(values) - 1 < 0.02, values


def draw_bunched(tokens: int, generator: np.random.Generator) -> list[np.ndarray[Any, Any]]:
    """Documents of 20 to 300 tokens, which repeat their own words: half of the tokens are copies.

    A token after the first is one from before in its document with a probability of one half, so
    that a document is a Polya urn: poorer than as many tokens of the law.
    """
    documents = []
    while tokens > 0:
        length = min(int(generator.integers(20, 301)), tokens)
        ids = draw(length, generator).reshape(-1)
        for place in range(1, length):
            if generator.random() < 0.5:
                ids[place] = ids[generator.integers(place)]
        documents.append(ids)
        tokens -= length
    return documents


BUNCHED = {
    "rare_ngram_survival": lambda texts: diversity.rare_ngram_survival(
        texts, HUMAN, REFERENCE, n=1, max_count=5, budget=1_000
    ),
    "rarefied_coverage": lambda texts: diversity.rarefied_coverage(texts, budget=1_000),
    "rarefied_types": lambda texts: diversity.rarefied_types(texts, budget=1_000),
}
"""Those that look at the vocabulary; `rep_n_diversity` cuts all texts to one length."""


def test_words_that_bunch_in_documents_make_no_drift() -> None:
    generator = np.random.default_rng(3)
    values: dict[str, list[float]] = {name: [] for name in BUNCHED}
    token_by_token = []
    for tokens, times in ((2_000, 60), (40_000, 3)):
        texts = [draw_bunched(tokens, generator) for _ in range(times)]
        for name, reading in BUNCHED.items():
            values[name].append(float(np.mean([reading(each) for each in texts])))
        single = [np.concatenate(each)[:, None] for each in texts]
        token_by_token.append(np.mean([BUNCHED["rarefied_types"](each) for each in single]))
    for name, (few, many) in values.items():
        assert few == pytest.approx(many, rel=0.02), name
    # The text does bunch: tokens drawn one by one would tell the amounts apart.
    assert token_by_token[1] / token_by_token[0] > 1.05


@pytest.mark.parametrize("name", sorted(AT_A_BUDGET))
def test_other_readings_look_at_their_budget_and_no_further(name: str) -> None:
    texts = draw(10_000, np.random.default_rng(0))
    # Nine texts of a hundred tokens are every budget here.
    assert AT_A_BUDGET[name](texts) == AT_A_BUDGET[name](texts[:9])


def test_size_free_readings_aim_at_what_the_law_says() -> None:
    unseen = (1 - LAW) ** 150
    assert average(SIZE_FREE_READINGS["rarefied_types"], 10_000) == pytest.approx(
        (1 - unseen).sum(), rel=0.005
    )
    assert average(SIZE_FREE_READINGS["rarefied_coverage"], 10_000) == pytest.approx(
        LAW @ (1 - unseen), rel=0.005
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("reading", "figures", "tolerance"),
    [
        (diversity.plug_in_entropy, {150: 6.21, 1_000: 7.78, 10_000: 9.08, 100_000: 9.83}, 0.02),
        (diversity.chao_shen_entropy, {1_000: 8.67, 10_000: 9.72, 100_000: 10.23}, 0.03),
        (
            lambda texts, budget: diversity.ead(texts, vocab_size=VOCABULARY, budget=budget),
            {150: 0.70, 1_000: 0.53, 10_000: 0.37, 100_000: 0.39},
            0.006,
        ),
        (diversity.rarefied_types, dict.fromkeys(DRAWS, 104.4), 1.0),
    ],
    ids=["plug-in entropy", "Chao-Shen entropy", "EAD", "rarefied types at 150"],
)
def test_published_figures(
    reading: Callable[..., float], figures: dict[int, float], tolerance: float
) -> None:
    fixed = 150 if reading is diversity.rarefied_types else None
    for tokens, figure in figures.items():
        found = average(lambda texts, of=fixed or tokens: reading(texts, budget=of), tokens)  # type: ignore[misc]
        assert found == pytest.approx(figure, abs=tolerance), tokens


@pytest.mark.slow
@pytest.mark.parametrize("tokens", [1_000, 10_000, 100_000])
def test_good_turing_coverage_is_accurate_at_every_amount(tokens: int) -> None:
    errors = []
    generator = np.random.default_rng(0)
    for _ in range(DRAWS[tokens]):
        texts = draw(tokens, generator)
        truth = LAW[np.unique(texts)].sum()
        errors.append(diversity.good_turing_coverage(texts, budget=tokens) / truth - 1)
    assert abs(np.mean(errors)) < 0.005
