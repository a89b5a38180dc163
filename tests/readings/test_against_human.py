"""Sampled against human text: both at one size, and their tail shares."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from collapse_guard import ArgumentError, HumanReference, TokenizerMismatchError, diversity
from collapse_guard.readings.against_human import compare_with_human, diversity_figures, tail_share
from tests.tiny import VOCAB, tiny_reference, zipf_documents

SAMPLES, HUMAN = zipf_documents(10, length=60, seed=5), zipf_documents(14, length=50, seed=6)


def test_each_figure_is_the_function_of_its_name() -> None:
    figures = diversity_figures(SAMPLES, budget=300, num_texts=8, length=40)
    cut = [ids[:40] for ids in SAMPLES]
    assert figures == {
        "rarefied_types": diversity.rarefied_types(SAMPLES, budget=300),
        **{f"distinct_{n}": diversity.distinct_n(SAMPLES, n, budget=300) for n in (1, 2, 3)},
        "good_turing_coverage": diversity.good_turing_coverage(SAMPLES, budget=300),
        "chao_shen_entropy": diversity.chao_shen_entropy(SAMPLES, budget=300),
        "compression_ratio": diversity.compression_ratio(SAMPLES, budget=1200),
        "rep_n_diversity": diversity.rep_n_diversity(cut[:8], length=40),
        "self_bleu": diversity.self_bleu(cut, num_texts=8),
        "self_repetition": diversity.self_repetition(cut, num_texts=8),
        "vendi_score": diversity.vendi_score(diversity.ngram_kernel(cut, num_texts=8)),
    }


def test_short_texts_do_not_take_part_in_figures_of_texts() -> None:
    with_short = [[1, 2], *SAMPLES[:4], [3], *SAMPLES[4:]]
    sizes = {"budget": 300, "num_texts": 8, "length": 40}
    assert (
        diversity_figures(with_short, **sizes)["self_bleu"]
        == diversity_figures(SAMPLES, **sizes)["self_bleu"]
    )


def test_both_are_looked_at_at_the_size_of_the_shorter() -> None:
    values = compare_with_human(SAMPLES, HUMAN)
    assert values["budget"] == 600
    for name, of_samples in diversity_figures(SAMPLES, budget=600).items():
        of_human = diversity_figures(HUMAN, budget=600)[name]
        assert values[f"sample_{name}"] == of_samples
        assert values[f"human_{name}"] == of_human
        assert values[f"ratio_{name}"] == of_samples / of_human


def test_the_same_text_compares_as_one() -> None:
    values = compare_with_human(HUMAN, HUMAN, reference=tiny_reference(), num_texts=9, length=30)
    ratios = {name: value for name, value in values.items() if name.startswith("ratio_")}
    assert len(ratios) == 12
    for name, ratio in ratios.items():
        assert ratio == 1.0 or (math.isnan(ratio) and values[name.replace("ratio", "human")] == 0)


def test_a_longer_text_of_the_same_law_is_no_more_diverse() -> None:
    """At their own sizes the two would differ by a factor."""
    long = zipf_documents(400, length=50, seed=7)
    values = compare_with_human(long, HUMAN)
    assert values["ratio_distinct_2"] == pytest.approx(1.0, abs=0.05)
    at_own_sizes = [
        diversity.distinct_n(text, 2, budget=sum(map(len, text))) for text in (long, HUMAN)
    ]
    assert at_own_sizes[0] / at_own_sizes[1] < 0.5


def test_tail_share_equals_a_loop() -> None:
    reference = tiny_reference()
    tokens = [token for ids in HUMAN for token in ids]
    share = np.mean([bool(reference.tail_types[token]) for token in tokens])
    estimate = tail_share(HUMAN, reference)
    assert estimate.value == pytest.approx(share)
    assert 0 < estimate.standard_error < share
    values = compare_with_human([[0] * 50] * 3, HUMAN, reference=reference)
    assert values["sample_tail_share"] == values["ratio_tail_share"] == 0.0
    assert values["human_tail_share"] == pytest.approx(share)


END = VOCAB
MARKED = HumanReference(
    np.append(tiny_reference().counts, 0), special_ids=(END,)
)  # As `tiny_reference`, with an end that is no text.


@pytest.mark.parametrize(
    "written",
    [
        [[END] * 7 + ids for ids in HUMAN],
        [ids + [END] * (i % 30) for i, ids in enumerate(HUMAN)],
        [[END, *ids[:20], END, *ids[20:]] for ids in HUMAN],
        [*HUMAN, [END] * 500],
    ],
    ids=["left", "right", "within", "a text of ends"],
)
def test_what_is_no_text_is_not_counted(written: list[list[int]]) -> None:
    expected = tail_share(HUMAN, MARKED)
    assert expected.value == tail_share(HUMAN, tiny_reference()).value
    found = tail_share(written, MARKED)
    assert found.value == expected.value
    if len(written) == len(HUMAN):
        assert found.standard_error == expected.standard_error
    assert tail_share([[END] * 9, [END]], MARKED)[:2] == (0.0, 0.0)
    figures = compare_with_human(written, SAMPLES, reference=MARKED)
    assert figures == compare_with_human(HUMAN, SAMPLES, reference=MARKED)
    assert compare_with_human(SAMPLES, written, reference=MARKED) == compare_with_human(
        SAMPLES, HUMAN, reference=MARKED
    )


@pytest.mark.parametrize("kind", [list, np.array, torch.tensor])
def test_padding_that_the_reference_knows_is_left_out(kind: Any) -> None:
    texts = [ids[: 30 + i] for i, ids in enumerate(HUMAN)]
    rows = kind([[END] * 3 + ids + [END] * (60 - len(ids)) for ids in texts])
    assert tail_share(rows, MARKED).value == tail_share(texts, MARKED).value
    assert compare_with_human(rows, SAMPLES, reference=MARKED) == compare_with_human(
        texts, SAMPLES, reference=MARKED
    )


@pytest.mark.parametrize("written", [[[END] * 50] * 4, [[], []]])
def test_a_model_that_writes_no_text_has_no_tail_and_nothing_to_compare(
    written: list[list[int]],
) -> None:
    sizes = {"num_texts": 9, "length": 30}
    values = compare_with_human(written, HUMAN, reference=MARKED, **sizes)
    assert set(values) == set(compare_with_human(SAMPLES, HUMAN, reference=MARKED, **sizes))
    assert values.pop("sample_tail_share") == values.pop("ratio_tail_share") == 0
    assert values.pop("human_tail_share") == tail_share(HUMAN, MARKED).value
    assert values.pop("budget") == 0
    assert all(map(math.isnan, values.values()))
    with pytest.raises(ArgumentError, match="`human` expected at least one token"):
        compare_with_human(HUMAN, written, reference=MARKED)


def test_unseen_types_are_tail() -> None:
    reference = HumanReference.from_token_ids([[0, 0, 1]], vocab_size=VOCAB)
    assert tail_share([[40, 41]], reference).value == 1.0


@pytest.mark.parametrize(
    ("samples", "human", "more", "message"),
    [
        ([], HUMAN, {}, "`samples` expected at least one token"),
        (SAMPLES, [[]], {}, "`human` expected at least one token"),
        (SAMPLES, HUMAN, {"budget": 650}, "which is what the text allows"),
        (SAMPLES, HUMAN, {"num_texts": 5}, "`length` beside it, but got 'num_texts=5, length=None"),
        (SAMPLES, HUMAN, {"length": 5}, "`length` beside it"),
        (SAMPLES, HUMAN, {"num_texts": 5, "length": 3}, "`length` expected at least 4"),
        (SAMPLES, HUMAN, {"num_texts": 1, "length": 5}, "`num_texts` expected from 2"),
        (SAMPLES, HUMAN, {"num_texts": 11, "length": 5}, "from 2 to 10, the documents of"),
    ],
)
def test_bad_input_is_named(samples, human, more, message) -> None:
    with pytest.raises(ArgumentError, match=message):
        compare_with_human(samples, human, **more)


def test_ids_past_the_vocabulary_and_empty_text_are_named() -> None:
    with pytest.raises(TokenizerMismatchError, match="token id 50"):
        tail_share([[1, 50]], tiny_reference())
    with pytest.raises(ArgumentError, match="1 documents without any"):
        tail_share([[]], tiny_reference())
    with pytest.raises(ArgumentError, match="whole-number token ids"):
        tail_share([[0.5]], tiny_reference())
