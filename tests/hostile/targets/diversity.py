"""How varied text is."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from collapse_guard import check_reading, diversity
from collapse_guard.readings.against_human import compare_with_human, diversity_figures, tail_share
from tests.hostile.target import Target
from tests.hostile.targets.made import reference, texts

SETTINGS: dict[str, dict[str, Any]] = {
    "chao_shen_entropy": {"budget": 100},
    "compression_ratio": {"budget": 100},
    "distinct_n": {"n": 2, "budget": 100},
    "ead": {"vocab_size": 50, "budget": 100},
    "good_turing_coverage": {"budget": 100},
    "ngram_kernel": {"num_texts": 4, "max_n": 4},
    "plug_in_entropy": {"budget": 100},
    "rarefied_coverage": {"budget": 50},
    "rarefied_types": {"budget": 50},
    "rep_n_diversity": {"length": 20},
    "self_bleu": {"num_texts": 4, "smoothing": 0.1},
    "self_repetition": {"num_texts": 4, "n": 4},
    "unpadded": {"pad_token_id": 0, "attention_mask": None},
}
"""Of each function of documents, what else it takes."""


def types(documents: Any) -> float:
    return diversity.rarefied_types(documents, budget=10)


def targets() -> Iterator[Target]:
    for name, settings in SETTINGS.items():
        yield Target(
            f"diversity.{name}",
            getattr(diversity, name),
            lambda settings=settings: {"documents": texts(), **settings},
        )
    yield Target(
        "diversity.embedding_kernel",
        diversity.embedding_kernel,
        lambda: {"embeddings": np.eye(3)},
    )
    yield Target("diversity.vendi_score", diversity.vendi_score, lambda: {"kernel": np.eye(3)})
    yield Target(
        "diversity.per_input",
        diversity.per_input,
        lambda: {"statistic": types, "samples": [texts(4), texts(4)]},
    )
    yield Target(
        "diversity.cross_input",
        diversity.cross_input,
        lambda: {"statistic": types, "samples": [texts(4), texts(4)], "groups": 2},
    )
    yield Target(
        "diversity.rare_ngram_survival",
        diversity.rare_ngram_survival,
        lambda: {
            "samples": texts(),
            "human": texts(),
            "reference": texts(20),
            "n": 2,
            "max_count": 1,
            "budget": 100,
        },
    )
    yield Target(
        "check_reading",
        check_reading,
        lambda: {"reading": types, "order_independent": False, "size_free": False},
    )
    yield Target(
        "diversity_figures",
        diversity_figures,
        lambda: {"documents": texts(), "budget": 100, "num_texts": 4, "length": 20},
    )
    yield Target("tail_share", tail_share, lambda: {"documents": texts(), "reference": reference()})
    yield Target(
        "compare_with_human",
        compare_with_human,
        lambda: {
            "samples": texts(),
            "human": texts(),
            "reference": reference(),
            "budget": 100,
            "num_texts": 4,
            "length": 20,
        },
    )
