"""What the diversity measures cost, against the loops that they stand for.

Both are measured in turns in one process, and medians compared. The floor is the time that it takes
to read and add up as many bytes as the token ids have: nothing that looks at all of them is faster.
"""

import itertools
import math
from collections import Counter
from collections.abc import Callable, Sequence
from time import perf_counter

import datasets
import numpy as np
import pytest
from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu
from sacrebleu.metrics.bleu import BLEU

from collapse_guard import HumanReference
from collapse_guard.diversity import distinct_n, rare_ngram_survival, rarefied_types, self_bleu
from collapse_guard.diversity.bleu import self_bleu_scores
from tests.diversity.texts import draw

pytestmark = pytest.mark.benchmark

MILLION = 1_000_000
VOCABULARY = 50_000
RUNS = 5


def seconds(work: Callable[[], object]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start


def report(
    what: str,
    ours: Callable[[], object],
    theirs: Callable[[], object],
    *,
    against: str,
    read: int,
    part: float = 1.0,
) -> None:
    """Measure both in turns, and print a row of the table in RESULTS.md.

    Args:
        what: The row's name.
        ours: The function.
        theirs: What it stands for, or the stated part of it.
        against: The name of that.
        read: Bytes of token ids that must be read.
        part: Share of the work that `theirs` does.
    """
    ids = np.ones(read // 8, dtype=np.int64)
    times = np.array([(seconds(ours), seconds(theirs), seconds(ids.sum)) for _ in range(RUNS)])
    mine, loop, floor = np.median(times, axis=0) * (1, 1 / part, 1)
    print(
        f"\n| {what} | {1e3 * mine:.1f} | {against} | {1e3 * loop:,.0f} | {loop / mine:,.0f}x "
        f"| {read / 1e6:.1f} MB, {1e3 * floor:.2f} ms | {mine / floor:,.0f}x |"
    )


def arrays(tokens: int, seed: int) -> list[np.ndarray[tuple[int], np.dtype[np.int64]]]:
    return list(draw(tokens, np.random.default_rng(seed)))


def lists(texts: Sequence[np.ndarray[tuple[int], np.dtype[np.int64]]]) -> list[list[int]]:
    return [text.tolist() for text in texts]


def bigrams(texts: list[list[int]]) -> Counter[tuple[int, int]]:
    counter: Counter[tuple[int, int]] = Counter()
    for text in texts:
        counter.update(itertools.pairwise(text))
    return counter


# Of the 1,000 texts, the others judge 20: each takes as long, and all would take minutes.
JUDGED = 20


def bleu_by_nltk(texts: list[list[int]]) -> list[float]:
    smooth = SmoothingFunction().method1
    return [
        sentence_bleu(
            [*texts[:place], *texts[place + 1 :]], texts[place], smoothing_function=smooth
        )
        for place in range(JUDGED)
    ]


def bleu_by_sacrebleu(texts: list[list[int]]) -> list[float]:
    bleu = BLEU(smooth_method="floor", smooth_value=0.1, tokenize="none")
    lines = [" ".join(map(str, text)) for text in texts]
    return [
        bleu.sentence_score(lines[place], [*lines[:place], *lines[place + 1 :]]).score / 100
        for place in range(JUDGED)
    ]


@pytest.mark.parametrize("judge", [bleu_by_nltk, bleu_by_sacrebleu])
def test_self_bleu(judge: Callable[[list[list[int]]], list[float]]) -> None:
    texts = arrays(100_000, 0)
    as_lists = lists(texts)
    scores = self_bleu_scores(texts, num_texts=len(texts))
    np.testing.assert_allclose(scores[:JUDGED], judge(as_lists), rtol=0, atol=1e-9)
    report(
        "self-BLEU-4, 1,000 texts of 100 tokens",
        lambda: self_bleu(texts, num_texts=len(texts)),
        lambda: judge(as_lists),
        against=f"{judge.__name__.removeprefix('bleu_by_')}, {JUDGED} of the texts, times 50",
        read=800_000,
        part=JUDGED / len(texts),
    )


@pytest.mark.parametrize("given_as", ["arrays", "lists"])
def test_distinct_2(given_as: str) -> None:
    texts = arrays(MILLION, 0)
    as_lists = lists(texts)
    documents = texts if given_as == "arrays" else as_lists

    def by_a_counter() -> float:
        counter = bigrams(as_lists)
        return len(counter) / counter.total()

    assert distinct_n(documents, 2, budget=MILLION) == by_a_counter()
    report(
        f"distinct-2, 1,000,000 tokens in {given_as}",
        lambda: distinct_n(documents, 2, budget=MILLION),
        by_a_counter,
        against="`Counter` of lists",
        read=8 * MILLION,
    )


@pytest.mark.parametrize("given_as", ["arrays", "lists"])
def test_rarefied_types(given_as: str) -> None:
    texts = arrays(MILLION, 0)
    as_lists = lists(texts)
    documents = texts if given_as == "arrays" else as_lists

    def by_a_counter() -> float:
        counter: Counter[int] = Counter()
        for text in as_lists:
            counter.update(set(text))
        # Two documents of 100 tokens each.
        total, draws = len(as_lists), 2
        log_all = math.lgamma(total + 1) - math.lgamma(total - draws + 1)
        expected = 0.0
        for count in counter.values():
            rest, none = total - count, 0.0
            if rest >= draws:
                log_none = math.lgamma(rest + 1) - math.lgamma(rest - draws + 1)
                none = math.exp(log_none - log_all)
            expected += 1 - none
        return expected

    assert rarefied_types(documents, budget=200) == pytest.approx(by_a_counter())
    report(
        f"rarefied types, 1,000,000 tokens in {given_as}",
        lambda: rarefied_types(documents, budget=200),
        by_a_counter,
        against="`Counter` of sets, lgamma per type",
        read=8 * MILLION,
    )


@pytest.mark.parametrize("given_as", ["arrays", "lists"])
def test_rare_ngram_survival(given_as: str) -> None:
    samples, human, reference = (arrays(MILLION, seed) for seed in range(3))
    lists_of = lists(samples), lists(human), lists(reference)
    documents = (samples, human, reference) if given_as == "arrays" else lists_of

    def survival() -> float:
        return rare_ngram_survival(*documents, n=2, max_count=5, budget=MILLION // 2)

    def by_counters() -> float:
        rare = {gram for gram, count in bigrams(lists_of[2]).items() if count <= 5}
        shares = []
        for texts in lists_of[:2]:
            holding: Counter[tuple[int, int]] = Counter()
            for text in texts:
                holding.update(rare.intersection(itertools.pairwise(text)))
            drawn, log_all = len(texts) // 2, math.lgamma(len(texts) + 1)
            missed = 0.0
            for count in holding.values():
                if len(texts) - count - drawn >= 0:
                    log_none = math.lgamma(len(texts) - count + 1) + math.lgamma(
                        len(texts) - drawn + 1
                    )
                    missed += math.exp(
                        log_none - math.lgamma(len(texts) - count - drawn + 1) - log_all
                    )
            shares.append((len(holding) - missed) / len(rare))
        return shares[0] / shares[1]

    assert survival() == pytest.approx(by_counters())
    report(
        f"survival of rare bigrams, 3 x 1,000,000 tokens in {given_as}",
        survival,
        by_counters,
        against="`Counter`s of lists",
        read=24 * MILLION,
    )


def test_counting_a_dataset() -> None:
    ids = draw(MILLION, np.random.default_rng(0)).astype(np.int32)
    dataset = datasets.Dataset.from_dict({"input_ids": list(ids)})

    def by_rows() -> Counter[int]:
        counter: Counter[int] = Counter()
        for row in dataset:
            counter.update(row["input_ids"])
        return counter

    def from_arrow() -> HumanReference:
        return HumanReference.from_dataset(dataset, vocab_size=VOCABULARY)

    counter = by_rows()
    assert from_arrow().counts.tolist() == [counter[token] for token in range(VOCABULARY)]
    report(
        "`HumanReference.from_dataset`, 10,000 rows of 100 tokens",
        from_arrow,
        by_rows,
        against="`Counter` over rows",
        read=4 * MILLION,
    )
