"""A human reference of text that lies on many machines."""

import json
from typing import Any

import numpy as np
import pyarrow as pa

from collapse_guard.arguments import optional, whole
from collapse_guard.errors import bad_argument
from collapse_guard.human_text.left_out import SpecialTokens
from collapse_guard.human_text.reference import HumanReference
from collapse_guard.human_text.tokenizer import Tokenizer, num_types
from collapse_guard.human_text.type_counts import TypeCounts
from collapse_guard.integrations.ray.blocks import as_rows, as_state, checked_column, of_blocks
from collapse_guard.rows.column import Column, as_tokens, encoder
from collapse_guard.rows.row_source import RowSource

_SIZE = optional(whole(least=1, hint="give len(tokenizer)"))


def reference_from_ray(
    dataset: Any,
    *,
    column: str | None = None,
    tokenizer: Tokenizer | None = None,
    vocab_size: int | None = None,
    tail_mass: float = 0.10,
    smoothing: float = 1.0,
    special_tokens: SpecialTokens = "leave out",
    **options: Any,
) -> HumanReference:
    """Count a Ray data set of human text, token ids or texts.

    Workers count their blocks, and only counts travel. It is the very reference that
    `HumanReference.from_dataset` makes of the same rows on one machine.

    Args:
        dataset: A `ray.data.Dataset`.
        column: With the token ids or the texts; None for "input_ids" or, where there is none,
            "text". Token ids that an `attention_mask` masks out are padding.
        tokenizer: As of `HumanReference.from_token_ids`. Texts are tokenized with it, without
            special tokens.
        vocab_size: Number of types; of the tokenizer's where left out.
        tail_mass: As of `HumanReference.from_token_ids`, as are the others.
        smoothing: Added to every count for the self-information.
        special_tokens: What becomes of those.
        options: Of `Dataset.map_batches`, such as `num_cpus` or `compute`.

    Raises:
        ArgumentError: It is no data set of token ids or texts, there is no token, or there is
            neither a tokenizer nor a number of types.
        MissingExtraError: Ray is not installed.
    """
    name, is_text = checked_column("dataset", dataset, column)
    vocab_size = _SIZE("vocab_size", vocab_size)
    if tokenizer is None and (is_text or vocab_size is None):
        raise bad_argument(
            "tokenizer",
            expected="a tokenizer, where rows are texts or no vocab_size is given",
            given=None,
            hint="give the one of the model that is to be trained",
        )
    if vocab_size is None and tokenizer is not None:
        vocab_size = len(tokenizer.get_vocab())
    size = num_types(vocab_size or 0, tokenizer)
    settings = {"column": name, "vocab_size": size, "tokenizer": tokenizer}
    counts = TypeCounts(np.zeros(size, np.int64))
    for made in of_blocks(dataset, _Counter, settings, options):
        counts = counts.merge(TypeCounts.of_state(json.loads(made["state"])))
    return HumanReference.from_type_counts(
        counts,
        tokenizer=tokenizer,
        tail_mass=tail_mass,
        smoothing=smoothing,
        special_tokens=special_tokens,
    )


class _Counter:
    """Counts the types of each block.

    Args:
        column: With the token ids or the texts.
        vocab_size: Number of types.
        tokenizer: Of the texts.
    """

    def __init__(self, column: str, vocab_size: int, tokenizer: Tokenizer | None) -> None:
        self._column, self.vocab_size = column, vocab_size
        self._tokenizer = tokenizer

    def __call__(self, table: pa.Table) -> pa.Table:
        rows = as_rows(table, self._column)
        own = Column(RowSource("dataset", rows), self._column)
        if not own.is_text:
            block = rows.with_format("arrow")[:]
            counts = TypeCounts.of_table(block, self._column, vocab_size=self.vocab_size)
        else:
            encode = None if self._tokenizer is None else encoder(self._tokenizer)
            ids = (as_tokens(texts, encode).ids for texts in own.batches())
            counts = TypeCounts.of(ids, vocab_size=self.vocab_size)
        return as_state(counts.state_dict())
