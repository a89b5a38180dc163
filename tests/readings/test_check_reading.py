"""One suite over all readings of text, and readings that must not pass it."""

import random

import numpy as np
import pytest
import torch

from collapse_guard import diversity
from collapse_guard.diversity import SIZE_FREE, per_input
from collapse_guard.errors import ConformityError, bad_argument
from collapse_guard.readings.check_reading import (
    DocumentReading,
    Documents,
    check_reading,
    zipf_documents,
)

HUMAN, REFERENCE = zipf_documents(100, seed=1), zipf_documents(500, seed=2)

READINGS: dict[str, DocumentReading] = {
    "chao_shen_entropy": lambda texts: diversity.chao_shen_entropy(texts, budget=1000),
    "compression_ratio": lambda texts: diversity.compression_ratio(texts, budget=4000),
    "cross_input": lambda texts: diversity.cross_input(_types, [[text] for text in texts])[0],
    "distinct_n": lambda texts: diversity.distinct_n(texts, 2, budget=1000),
    "ead": lambda texts: diversity.ead(texts, vocab_size=50_000, budget=1000),
    "good_turing_coverage": lambda texts: diversity.good_turing_coverage(texts, budget=1000),
    "per_input": lambda texts: per_input(_types, [texts[:5], texts[5:10]])[0],
    "plug_in_entropy": lambda texts: diversity.plug_in_entropy(texts, budget=1000),
    "rare_ngram_survival": lambda texts: diversity.rare_ngram_survival(
        texts, HUMAN, REFERENCE, n=1, max_count=5, budget=1000
    ),
    "rarefied_coverage": lambda texts: diversity.rarefied_coverage(texts, budget=500),
    "rarefied_types": lambda texts: diversity.rarefied_types(texts, budget=500),
    "rep_n_diversity": lambda texts: diversity.rep_n_diversity(texts, length=100),
    "self_bleu": lambda texts: diversity.self_bleu(texts, num_texts=10),
    "self_repetition": lambda texts: diversity.self_repetition(texts, num_texts=10),
    "vendi_score": lambda texts: diversity.vendi_score(diversity.ngram_kernel(texts, num_texts=10)),
}

# What goes into `vendi_score`, and names that are no functions.
NO_READINGS = {"Document", "SIZE_FREE", "embedding_kernel", "ngram_kernel", "unpadded"}


def _types(texts: Documents) -> float:
    return diversity.rarefied_types(texts, budget=20)


def test_the_suite_knows_every_reading() -> None:
    assert set(READINGS) == set(diversity.__all__) - NO_READINGS


@pytest.mark.parametrize("name", READINGS)
def test_reading_conforms(name: str) -> None:
    check_reading(READINGS[name], order_independent=name in SIZE_FREE, size_free=name in SIZE_FREE)


@pytest.mark.parametrize(
    "name", ["plug_in_entropy", "chao_shen_entropy", "good_turing_coverage", "distinct_n"]
)
def test_drift_is_seen_where_the_whole_text_is_the_budget(name: str) -> None:
    def reading(texts: Documents) -> float:
        budget = sum(map(len, texts))
        if name == "distinct_n":
            return diversity.distinct_n(texts, 1, budget=budget)
        return float(getattr(diversity, name)(texts, budget=budget))

    with pytest.raises(ConformityError, match=r"drift with the amount of text: it read .* 100,000"):
        check_reading(reading, size_free=True)


def _mean(texts: Documents) -> float:
    tokens = np.concatenate([*texts, np.zeros(0)])
    if len(tokens) == 0:
        raise bad_argument("texts", expected="a token", given="none", hint="give it text")
    return float(tokens.mean())


class Alternating:
    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, texts: Documents) -> float:
        self.calls += 1
        return float(self.calls % 2)


def _sorting(texts: Documents) -> float:
    for ids in texts:
        ids.sort()
    return 1.0


def _emptying(texts: Documents) -> float:
    texts.clear()
    return 1.0


def _by_python(texts: Documents) -> float:
    random.seed(0)
    return random.random()


def _by_numpy(texts: Documents) -> float:
    np.random.seed(0)
    return float(np.random.rand())


def _by_torch(texts: Documents) -> float:
    torch.manual_seed(0)
    return float(torch.rand(()))


def _raising(texts: Documents) -> float:
    raise KeyError("anything")


@pytest.mark.parametrize(
    ("reading", "checks"),
    [
        (lambda texts: np.float64(1.0), {"returns a Python float"}),
        (lambda texts: torch.ones(()), {"returns a Python float", "finite on odd text"}),
        (lambda texts: 1, {"returns a Python float"}),
        (lambda texts: float("nan"), {"returns a Python float", "finite on odd text"}),
        (Alternating(), {"deterministic"}),
        (_sorting, {"leaves its documents alone"}),
        (_emptying, {"leaves its documents alone"}),
        (_by_python, {"touches no global random state"}),
        (_by_numpy, {"touches no global random state"}),
        (_by_torch, {"touches no global random state"}),
        (lambda texts: _mean(texts) / len({*map(len, texts), 0}), set()),
        (lambda texts: _mean(texts[:1]), {"does not depend on the order"}),
        (
            lambda texts: float(len(texts)),
            {
                "does not drift",
            },
        ),
        (lambda texts: 1.0 / len(texts[0]), {"finite on odd text"}),
        (lambda texts: _mean(texts) / np.var(texts[0]), {"returns", "finite on odd text"}),
        (_raising, {"returns a Python float", "finite on odd text"}),
    ],
)
def test_each_fault_is_named(reading: DocumentReading, checks: set[str]) -> None:
    if not checks:
        check_reading(reading, order_independent=True, size_free=False)
        return
    with pytest.raises(ConformityError) as caught:
        check_reading(reading, order_independent=True, size_free=True)
    faults = caught.value.faults
    assert len(faults) >= len(checks)
    for check in checks:
        assert any(fault.startswith(check) for fault in faults), faults
        assert check in str(caught.value)


def test_random_states_are_put_back_after_a_reading_that_sets_them() -> None:
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state()
    for reading in (_by_python, _by_numpy, _by_torch):
        with pytest.raises(ConformityError, match="random state"):
            check_reading(reading)
    assert random.getstate() == before[0]
    assert np.random.get_state()[1].tolist() == before[1]
    assert torch.equal(torch.get_rng_state(), before[2])


def test_errors_of_our_own_on_odd_text_are_fine_and_others_are_not() -> None:
    check_reading(_mean)

    def careless(texts: Documents) -> float:
        return float(np.concatenate(texts).mean())

    with pytest.raises(ConformityError, match="no documents: it raised ValueError"):
        check_reading(careless)


def test_zipf_documents_follow_their_law() -> None:
    tokens = np.concatenate(zipf_documents(1000))
    harmonic = (1.0 / np.arange(1, 50_001)).sum()
    counts = np.bincount(tokens, minlength=50_000)
    expected = 100_000 / (harmonic * np.arange(1, 11))
    # Five standard deviations of a count.
    assert (abs(counts[:10] - expected) < 5 * np.sqrt(expected)).all()
    assert tokens.max() < 50_000
    assert not np.array_equal(zipf_documents(1)[0], zipf_documents(1, seed=1)[0])
