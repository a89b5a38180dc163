"""The column of a source that is looked at, read in batches whatever the rows are made of."""

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import numpy as np

from collapse_guard.errors import bad_argument
from collapse_guard.human_text.left_out import MASK_COLUMN
from collapse_guard.human_text.token_rows import TokenRows
from collapse_guard.human_text.tokenizer import Tokenizer, encoded
from collapse_guard.rows.row_source import RowSource

Contents = TokenRows | list[str]
"""What some rows hold: tokens, or texts ("" where there is none)."""

Encode = Callable[[Sequence[str]], TokenRows]
"""Turns texts into token ids."""

_ROWS_AT_A_TIME = 2048
_SYMBOLS_AT_A_TIME = 1 << 17
_FIRST_ROWS = 64
_GUESSES = ("input_ids", "text")


class Column:
    """One column of a source: token ids, or texts.

    Rows that are no mappings are contents themselves, such as a list of texts. Where rows have an
    `attention_mask` too, token ids that it masks out are left out: padding is no content.

    Args:
        source: The source.
        column: Name of the column; None for "input_ids" or, where there is none, "text".

    Raises:
        ArgumentError: There is no such column, or it holds neither token ids nor texts.

    Example:
        >>> column = Column(RowSource("wiki", [{"text": "a b"}, {"text": None}]))
        >>> column.is_text, list(column.batches())
        (True, [['a b', '']])
    """

    def __init__(self, source: RowSource, column: str | None = None) -> None:
        self.name = source.name
        self._source = source
        columns = source.columns()
        self.column = choose_column(columns, column, source.name)
        self._needed = [
            c for c in (self.column, MASK_COLUMN) if columns is not None and c in columns
        ]
        # A data set of Hugging Face hands its buffers over, and no row becomes a Python object.
        self._arrow: Any = None if self.column is None else source.in_arrow(self._needed)
        self.is_text = self._holds_text()

    def __len__(self) -> int:
        """Number of rows."""
        return len(self._source)

    def batches(self) -> Iterator[Contents]:
        """All rows in their order, some thousand at a time; fewer where rows are long."""
        start, count = 0, _FIRST_ROWS
        while start < len(self):
            stop = min(start + count, len(self))
            contents = self.read(range(start, stop))
            yield contents
            symbols = max(_size(contents), 1)
            count = min(max(_SYMBOLS_AT_A_TIME * (stop - start) // symbols, 1), _ROWS_AT_A_TIME)
            start = stop

    def read(self, rows: Sequence[int]) -> Contents:
        """What the rows with these numbers hold, in their order."""
        if self._arrow is not None:
            return self._from_arrow(rows)
        read = self._source.read(rows)
        values = read if self.column is None else [self._value(row, self.column) for row in read]
        if self.is_text:
            return [self._text(value) for value in values]
        contents = TokenRows.of([self._ids(value) for value in values])
        if MASK_COLUMN not in self._needed:
            return contents
        mask = TokenRows.of([self._ids(self._value(row, MASK_COLUMN)) for row in read])
        return self._masked(contents, mask)

    def _from_arrow(self, rows: Sequence[int]) -> Contents:
        table = self._arrow[slice(rows.start, rows.stop) if isinstance(rows, range) else rows]
        values = table.column(self.column)
        if self.is_text:
            return [text or "" for text in values.to_pylist()]
        contents = TokenRows.of_arrow(values)
        if MASK_COLUMN not in self._needed:
            return contents
        return self._masked(contents, TokenRows.of_arrow(table.column(MASK_COLUMN)))

    def _masked(self, contents: TokenRows, mask: TokenRows) -> TokenRows:
        if not np.array_equal(contents.lengths, mask.lengths):
            raise bad_argument(
                "column",
                expected=f"as many values of `{MASK_COLUMN}` as tokens in each row",
                given=f"other numbers in source {self.name!r}",
                hint="make both with one call of the tokenizer",
            )
        return contents.masked(mask.ids.astype(bool))

    def _holds_text(self) -> bool:
        """Whether the first row that holds anything holds a text."""
        if self._arrow is not None:
            stated = str(self._arrow.features.arrow_schema.field(self.column).type)
            if "string" in stated and "<" not in stated:
                return True
            if "list<" in stated and "int" in stated and stated.count("<") == 1:
                return False
            raise self._wrong(stated)
        for row in range(min(len(self), _ROWS_AT_A_TIME)):
            (value,) = self._source.read([row])
            value = value if self.column is None else self._value(value, self.column)
            if value is not None:
                return isinstance(value, str)
        return True

    def _value(self, row: Any, column: str) -> Any:
        try:
            return row[column]
        except Exception as error:
            raise self._wrong(row) from error

    def _text(self, value: Any) -> str:
        if value is not None and not isinstance(value, str):
            raise self._wrong(value)
        return value or ""

    def _ids(self, value: Any) -> Any:
        if value is None:
            return []
        if isinstance(value, list) and set(map(type, value)) <= {int}:
            return value
        try:
            ids = np.asarray(value)
        except Exception as error:
            raise self._wrong(value) from error
        if ids.ndim != 1 or (ids.size and ids.dtype.kind not in "iub"):
            raise self._wrong(value)
        return ids

    def _wrong(self, given: object) -> Exception:
        return bad_argument(
            "column",
            expected="a column of texts, or of token ids (a list of whole numbers in each row)",
            given=given,
            hint=f"name another column of source {self.name!r}; a conversation becomes text with "
            "tokenizer.apply_chat_template",
        )


def _size(contents: Contents) -> int:
    """Tokens or characters of some rows."""
    return len(contents.ids) if isinstance(contents, TokenRows) else sum(map(len, contents))


def choose_column(columns: Collection[str] | None, given: str | None, name: str) -> str | None:
    """The column that is looked at, by its name or, where it has none, by a guess.

    Args:
        columns: Those that there are; None where rows are contents themselves.
        given: What the caller named; None for "input_ids" or, where there is none, "text".
        name: Of the source, for errors.

    Returns:
        One of the columns; None where rows are contents themselves and nothing was named.

    Raises:
        ArgumentError: There is no such column.
    """
    if columns is None and given is None:
        return None
    for guess in _GUESSES if given is None else (given,):
        if columns is not None and isinstance(guess, str) and guess in columns:
            return guess
    raise bad_argument(
        "column",
        expected=f"one of the columns {sorted(map(str, columns or []))} of source {name!r}",
        given=given,
        hint="name the column that holds the token ids or the text",
    )


def encoder(tokenizer: Tokenizer) -> Encode:
    """Turns texts into a tokenizer's ids, without special tokens."""

    def encode(texts: Sequence[str]) -> TokenRows:
        return TokenRows.of([encoded(tokenizer, t) for t in texts])

    return encode


def as_tokens(contents: Contents, encode: Encode | None) -> TokenRows:
    """Contents as tokens.

    Args:
        contents: Some rows.
        encode: What texts become tokens by; None only where the rows are tokens.

    Raises:
        TypeError: The rows are texts, and there is no `encode`.
    """
    if isinstance(contents, TokenRows):
        return contents
    if encode is None:
        raise TypeError("texts need `encode`")
    return encode(contents)
