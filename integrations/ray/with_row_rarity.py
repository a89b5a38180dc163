"""How rare the contents of the rows of a Ray data set are, in a column of its own."""

from typing import Any

import pyarrow as pa

from collapse_guard.arguments import checked, text
from collapse_guard.audit import row_rarity
from collapse_guard.audit.filters.rarity import check_rarity_tokenizer
from collapse_guard.human_text.panel import A_REFERENCE
from collapse_guard.human_text.reference import HumanReference
from collapse_guard.human_text.tokenizer import Tokenizer
from collapse_guard.integrations.ray.blocks import as_rows, checked_column, mapped


@checked(reference=A_REFERENCE, name=text(hint="leave it out"))
def with_row_rarity(
    dataset: Any,
    reference: HumanReference,
    *,
    column: str | None = None,
    tokenizer: Tokenizer | None = None,
    name: str = "rarity",
    **options: Any,
) -> Any:
    """A Ray data set with one more column: the mean self-information of each row's rarest tokens.

    Each row's is what `row_rarity` says of it.

    Args:
        dataset: A `ray.data.Dataset` of token ids or texts.
        reference: Says what is rare.
        column: As of `reference_from_ray`.
        tokenizer: The reference's, where rows are texts.
        name: Of the new column, float32, in bits; one of that name is replaced.
        options: Of `Dataset.map_batches`, such as `num_cpus` or `compute`.

    Returns:
        A `ray.data.Dataset`, which is lazy as all are.

    Raises:
        ArgumentError: It is no data set of token ids or texts, or texts without a tokenizer.
        TokenizerMismatchError: The tokenizer or, where blocks are worked through, token ids are not
            the reference's.
        MissingExtraError: Ray is not installed.
    """
    chosen, is_text = checked_column("dataset", dataset, column)
    check_rarity_tokenizer(reference, tokenizer, is_text=is_text)
    settings = {"reference": reference, "column": chosen, "tokenizer": tokenizer, "name": name}
    return mapped(dataset, _Rarity, settings, options)


class _Rarity:
    """Puts the column into each block.

    Args:
        reference: As of `with_row_rarity`, as are the others.
        column: Of token ids or texts.
        tokenizer: The reference's.
        name: Of the new column.
    """

    def __init__(
        self, reference: HumanReference, column: str, tokenizer: Tokenizer | None, name: str
    ) -> None:
        self._reference, self._column = reference, column
        self._tokenizer, self._name = tokenizer, name

    def __call__(self, table: pa.Table) -> pa.Table:
        found = row_rarity(
            as_rows(table, self._column),
            self._reference,
            column=self._column,
            tokenizer=self._tokenizer,
        )
        if self._name in table.column_names:
            table = table.drop_columns([self._name])
        return table.append_column(self._name, pa.array(found))
