"""Drawn tokens of rows, and what a model gives for them: read as often as it is asked for."""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from collapse_guard.errors import bad_argument
from collapse_guard.human_text.left_out import MASK_COLUMN
from collapse_guard.model.decoding_columns import DRAWN_MASK_COLUMN
from collapse_guard.model.logprobs import next_token_logits
from collapse_guard.rows.column import Column, Encode, as_tokens
from collapse_guard.rows.row_source import RowSource

Ids = npt.NDArray[np.int64]


class Scored(NamedTuple):
    """Some drawn tokens and what a model gives for them.

    Attributes:
        logits: Of shape (tokens, vocabulary), in the model's dtype and on its device.
        targets: int64 of shape (tokens,), the tokens, on the same device.
        documents: int64 of shape (tokens,), the number of each one's document.
        where: int64 of shape (tokens, 2), the number of each one's row in its source, and its place
            among the row's tokens.
    """

    logits: torch.Tensor
    targets: torch.Tensor
    documents: Ids
    where: Ids


@dataclass(frozen=True, eq=False)
class DrawnTokens:
    """The drawn tokens of a source that are looked at.

    Attributes:
        column: Of the token ids, or of texts.
        masks: The source, where it says which tokens were drawn; None where all were.
        rows: int64 of shape (rows,), the numbers of the rows that are looked at.
        documents: int64 of shape (rows,), the number of the document of each of them.
        encode: Turns texts into token ids; None where rows are token ids.
        prefix: Tokens that stand before each row.
        every: One of so many drawn tokens is looked at.
        max_tokens: Tokens of a row that are read.
        batch_size: Rows to a forward pass.
    """

    column: Column
    masks: RowSource | None
    rows: Ids
    documents: Ids
    encode: Encode | None
    prefix: tuple[int, ...]
    every: int
    max_tokens: int
    batch_size: int

    def scored(self, model: torch.nn.Module) -> Iterator[Scored]:
        """All of them, a batch of rows at a time.

        Args:
            model: A causal language model, left as it is.

        Raises:
            ArgumentError: A mask that is not as long as its row, or a row of more tokens than the
                model has positions.
            TokenizerMismatchError: Token ids that the model does not know.
            ScoringError: The model is not causal, or gives no logits.
        """
        for start in range(0, len(self.rows), self.batch_size):
            places = np.arange(start, min(start + self.batch_size, len(self.rows)))
            ids, tokens, positions = self._batch(places)
            if not positions.any():
                continue
            logits, targets, where = next_token_logits(
                model, ids, positions, attention_mask=tokens, causal=True
            )
            lines, columns = where.cpu().numpy().T
            owners = places[lines]
            where_read = np.stack([self.rows[owners], columns - len(self.prefix)], axis=1)
            yield Scored(logits, targets, self.documents[owners], where_read)

    def _batch(self, places: Ids) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Token ids of some rows, where there are any, and which of them are looked at."""
        numbers = self.rows[places].tolist()
        rows = as_tokens(self.column.read(numbers), self.encode).split()
        before = len(self.prefix)
        width = before + min(max(map(len, rows)), self.max_tokens)
        ids, tokens, looked_at = (np.zeros((len(rows), width), np.int64) for _ in range(3))
        for line, (row, mask) in enumerate(zip(rows, self._drawn(numbers, rows), strict=True)):
            end = min(before + len(row), width)
            ids[line, :before], ids[line, before:end] = self.prefix, row[: end - before]
            tokens[line, :end] = 1
            drawn = np.flatnonzero(mask[: end - before]) + before
            # A first token is predicted from nothing. Rows begin at different tokens, so that no
            # rhythm of the text is met at one beat only.
            looked_at[line, drawn[drawn > 0][places[line] % self.every :: self.every]] = 1
        return torch.from_numpy(ids), torch.from_numpy(tokens), torch.from_numpy(looked_at).bool()

    def _drawn(self, numbers: Sequence[int], rows: Sequence[Ids]) -> list[Ids]:
        if self.masks is None:
            return [np.ones(len(row), np.int64) for row in rows]
        drawn = []
        for values, row in zip(self.masks.read(numbers), rows, strict=True):
            mask = np.asarray(values[DRAWN_MASK_COLUMN], dtype=np.int64)
            if MASK_COLUMN in values and len(values[MASK_COLUMN]) == len(mask):
                mask = mask[np.asarray(values[MASK_COLUMN]).astype(bool)]
            if mask.shape != row.shape:
                raise bad_argument(
                    "rows",
                    expected=f"as many values of `{DRAWN_MASK_COLUMN}` as tokens in each row",
                    given=f"{mask.size} values for {len(row)} tokens",
                    hint="give 1 for each token that the sampler drew and 0 for others, or remove "
                    f"the column {DRAWN_MASK_COLUMN}",
                )
            drawn.append(mask)
        return drawn


def find_drawn_tokens(
    source: RowSource,
    *,
    column: str | None,
    encode: Encode | None,
    documents: Sequence[Hashable] | npt.NDArray[Any] | None,
    prefix: Sequence[int],
    every: int,
    max_rows: int | None,
    max_tokens: int,
    batch_size: int,
) -> DrawnTokens:
    """The drawn tokens of a source, of which some are looked at.

    Args:
        source: The rows. Where they have a column `drawn_mask`, it says which tokens were drawn.
        column: The column of token ids or texts; None for "input_ids" or, where there is none,
            "text".
        encode: Turns texts into token ids; None where there is no tokenizer.
        documents: The document of each row; None where each row is one.
        prefix: Tokens that stand before each row.
        every: As in `DrawnTokens`.
        max_rows: Rows that are looked at, evenly spaced over the source; None for all.
        max_tokens: As in `DrawnTokens`.
        batch_size: As in `DrawnTokens`.

    Raises:
        ArgumentError: No such column, texts without a tokenizer or with a mask of token ids, or
            another number of documents than rows.
    """
    own = Column(source, column)
    if own.is_text and encode is None:
        raise bad_argument(
            "tokenizer",
            expected="the tokenizer of the model, since the rows are texts",
            given=None,
            hint="give it, or name a column of token ids",
        )
    masks = [name for name in (DRAWN_MASK_COLUMN, MASK_COLUMN) if name in (source.columns() or {})]
    if own.is_text and DRAWN_MASK_COLUMN in masks:
        raise bad_argument(
            "column",
            expected=f"token ids, since the column {DRAWN_MASK_COLUMN} speaks of tokens",
            given=f"texts in column {own.column!r}",
            hint="tokenize the texts, prompts and answers apart, and make the mask with them",
        )
    if documents is not None and len(documents) != len(source):
        raise bad_argument(
            "documents",
            expected=f"one for each of the {len(source)} rows",
            given=f"{len(documents)} of them",
            hint="name the document that each row is of, or leave it out",
        )
    count = len(source) if max_rows is None else min(max_rows, len(source))
    rows = np.arange(count, dtype=np.int64) * len(source) // count
    known: dict[Hashable, int] = {}
    names: Any = range(len(source)) if documents is None else documents
    numbers = [known.setdefault(names[row], len(known)) for row in rows.tolist()]
    return DrawnTokens(
        own,
        source.narrowed(masks) if DRAWN_MASK_COLUMN in masks else None,
        rows,
        np.array(numbers, dtype=np.int64),
        encode,
        tuple(prefix),
        every,
        max_tokens,
        batch_size,
    )
