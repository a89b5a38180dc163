"""Human text: what counts it, holds it out, and what is asked of it."""

from collections.abc import Iterator

import datasets
import numpy as np
import pyarrow as pa

from collapse_guard import HeldOutPanel, HumanReference, TypeCounts, continuation_pairs
from collapse_guard.human_text.tokenizer import tokenizer_fingerprint
from tests.hostile.target import Target
from tests.hostile.targets.made import Words, panel, reference, texts, word_reference
from tests.tiny import VOCAB


def targets() -> Iterator[Target]:
    counting = {"tokenizer": None, "tail_mass": 0.1, "smoothing": 1.0}
    counting["special_tokens"] = "leave out"
    yield Target(
        "HumanReference",
        HumanReference,
        lambda: {
            "counts": np.arange(VOCAB),
            "fingerprint": None,
            "tail_mass": 0.1,
            "smoothing": 1.0,
            "special_ids": (),
            "left_out": {},
        },
    )
    yield Target(
        "HumanReference.from_token_ids",
        HumanReference.from_token_ids,
        lambda: {"documents": texts(), "vocab_size": VOCAB, "attention_mask": None, **counting},
    )
    yield Target(
        "HumanReference.from_dataset",
        HumanReference.from_dataset,
        lambda: {
            "dataset": datasets.Dataset.from_dict({"input_ids": texts()}),
            "column": "input_ids",
            "vocab_size": VOCAB,
            **counting,
        },
    )
    yield Target(
        "HumanReference.from_type_counts",
        HumanReference.from_type_counts,
        lambda: {"type_counts": TypeCounts.of(texts(), vocab_size=VOCAB), **counting},
    )
    yield Target(
        "TypeCounts",
        TypeCounts,
        lambda: {"counts": np.arange(VOCAB), "masked": {0: 3}},
    )
    yield Target(
        "TypeCounts.of",
        TypeCounts.of,
        lambda: {
            "documents": texts(),
            "vocab_size": VOCAB,
            "tokenizer": None,
            "attention_mask": None,
        },
    )
    yield Target(
        "TypeCounts.of_table",
        TypeCounts.of_table,
        lambda: {
            "table": pa.table({"input_ids": texts()}),
            "column": "input_ids",
            "vocab_size": VOCAB,
            "tokenizer": None,
        },
    )
    yield Target(
        "TypeCounts.of_state",
        TypeCounts.of_state,
        lambda: {"state": TypeCounts.of(texts(), vocab_size=VOCAB).state_dict()},
    )
    yield Target(
        "TypeCounts.merge",
        lambda other: TypeCounts.of(texts(), vocab_size=VOCAB).merge(other),
        lambda: {"other": TypeCounts.of(texts(), vocab_size=VOCAB)},
    )
    yield Target(
        "HumanReference.merge",
        lambda other: reference().merge(other),
        lambda: {"other": reference()},
    )
    yield Target(
        "HumanReference.check_tokenizer",
        lambda tokenizer: word_reference().check_tokenizer(tokenizer),
        lambda: {"tokenizer": Words()},
    )
    yield Target(
        "HumanReference.check_ids",
        lambda ids: reference().check_ids(ids),
        lambda: {"ids": np.array([1, 2])},
    )
    cutting = {"window": 16, "short": "error", "max_windows": 8, "prefix": (), "groups": None}
    yield Target(
        "HeldOutPanel",
        HeldOutPanel,
        lambda: {
            "reference": reference(),
            "input_ids": panel().input_ids,
            "document_ids": panel().document_ids,
            "positions": panel().positions,
            "source_ids": None,
        },
    )
    yield Target(
        "HeldOutPanel.from_token_ids",
        HeldOutPanel.from_token_ids,
        lambda: {
            "documents": texts(),
            "reference": reference(),
            "training_documents": None,
            "attention_mask": None,
            **cutting,
        },
    )
    yield Target(
        "HeldOutPanel.from_texts",
        HeldOutPanel.from_texts,
        lambda: {
            "texts": ["it was a bright cold day in april" * 4, "ab" * 60],
            "tokenizer": Words(),
            "reference": word_reference(),
            "training_texts": None,
            **cutting,
        },
    )
    yield Target(
        "continuation_pairs",
        continuation_pairs,
        lambda: {
            "prompts": [[5, 6], [7]],
            "continuation": [1],
            "alternative": [2],
            "tokenizer": None,
            "prefix": (),
        },
    )
    yield Target(
        "continuation_pairs of texts",
        continuation_pairs,
        lambda: {
            "prompts": ["it is an"],
            "continuation": " owl",
            "alternative": " ant",
            "tokenizer": Words(),
        },
    )
    yield Target("tokenizer_fingerprint", tokenizer_fingerprint, lambda: {"tokenizer": Words()})
