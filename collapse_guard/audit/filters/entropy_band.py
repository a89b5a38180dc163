"""Rows that say implausibly little or implausibly much that is new, measured by human rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from collapse_guard.arguments import number
from collapse_guard.audit.filters.entropy_rate import entropy_rates
from collapse_guard.audit.filters.rejection import as_numbers, rejection_by_rarity
from collapse_guard.audit.filters.weights import RowWeights
from collapse_guard.errors import bad_argument
from collapse_guard.human_text.token_rows import TokenRows
from collapse_guard.rows.column import Column, Contents
from collapse_guard.rows.row_source import Rows, RowSource

Floats = npt.NDArray[np.floating[Any]]

_LEAST_ROWS = 100
_ROWS_BEYOND_A_LIMIT = 5
_MOST_ANCHORS = 16


@dataclass(frozen=True, eq=False)
class EntropyRateBand:
    """Between which entropy rates human rows lie, at each length. Build one with `of`.

    What lies below repeats itself: loops, boilerplate, tables of one number. What lies above never
    does: noise, shuffled words, lists of keys. No model is asked, and nothing is said of who wrote
    a row. A text may have good reason to lie outside (a refrain, a glossary), so look at the
    rejection report, and at some of the rows.

    Example:
        >>> letters = np.random.default_rng(0).integers(97, 123, (200, 300))
        >>> band = EntropyRateBand.of(letters.tolist(), keep=0.9)
        >>> rates, lengths = row_entropy_rates([[97, 98] * 150, list(range(300))])
        >>> band.contains(rates, lengths).tolist()
        [False, False]

    Attributes:
        lengths: float64 of shape (anchors,), symbols, rising.
        low: float64 of shape (anchors,), in bits per symbol; between anchors, limits lie on a
            straight line over the logarithm of the length, and beyond them they are level.
        high: Likewise.
    """

    lengths: npt.NDArray[np.float64]
    low: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]

    @classmethod
    def of(cls, human: Rows, *, column: str | None = None, keep: float = 0.99) -> "EntropyRateBand":
        """The band that holds a share of human rows, of each length alike.

        Args:
            human: Human rows, at least 100 of two symbols or more: token ids, or texts, whose
                symbols are the bytes of UTF-8.
            column: Its name; None for "input_ids" or, where there is none, "text".
            keep: Share of human rows within the band, above 0 and below 1; half of the others are
                below it and half above. It is also the share of the human rows of a mixture that
                the filter spares.

        Raises:
            ArgumentError: No such column, too few rows, or a share out of range.
        """
        keep = number("keep", keep, above=0, below=1, what="a share", hint="0.99 is usual")
        rates, lengths = row_entropy_rates(human, column=column)
        known = ~np.isnan(rates)
        rates, lengths = rates[known], lengths[known]
        if len(rates) < _LEAST_ROWS:
            raise bad_argument(
                "human",
                expected=f"at least {_LEAST_ROWS} rows of two symbols or more",
                given=f"{len(rates)} of them",
                hint="give more human rows",
            )
        # Each anchor has some rows beyond each limit, as far as there are so many.
        wanted = max(int(_ROWS_BEYOND_A_LIMIT * 2 / (1 - keep)), _LEAST_ROWS)
        anchors = min(max(len(rates) // wanted, 1), _MOST_ANCHORS)
        parts = np.array_split(np.argsort(lengths, kind="stable"), anchors)
        # Groups of one length would be anchors on top of each other.
        medians = np.array([np.median(lengths[part]) for part in parts])
        merged = [
            np.concatenate([p for p, m in zip(parts, medians, strict=True) if m == median])
            for median in np.unique(medians)
        ]
        limits = [np.quantile(rates[part], [(1 - keep) / 2, (1 + keep) / 2]) for part in merged]
        low, high = np.array(limits).T
        return cls(np.unique(medians).astype(np.float64), low, high)

    def contains(self, rates: Floats, lengths: Floats) -> npt.NDArray[np.bool_]:
        """Which rows lie within the band. NaN, where nothing can be said, does.

        Args:
            rates: float of shape (rows,), `row_entropy_rates`.
            lengths: Of shape (rows,), in symbols.

        Returns:
            bool of shape (rows,).
        """
        rates, lengths = as_numbers("rates", rates), as_numbers("lengths", lengths)
        if rates.shape != lengths.shape:
            raise bad_argument(
                "lengths",
                expected="a length for each rate",
                given=f"{len(lengths)} for {len(rates)} rates",
                hint="give what row_entropy_rates returned",
            )
        at = np.log(np.maximum(lengths, 1))
        low, high = (np.interp(at, np.log(self.lengths), limit) for limit in (self.low, self.high))
        outside: npt.NDArray[np.bool_] = (rates < low) | (rates > high)
        return ~outside

    def weigh(
        self, rows: Rows, rarity: Floats, *, column: str | None = None, outside: float = 0.0
    ) -> RowWeights:
        """Weights for the rows of a source: 1 within the band.

        Args:
            rows: As in `of`.
            rarity: float of shape (rows,), of the same rows: `row_rarity`.
            column: As in `of`.
            outside: The weight of rows outside of the band, from 0 (dropped) to 1.

        Raises:
            ArgumentError: As in `of` and in `rejection_by_rarity`.
        """
        hint = "0 drops such rows"
        outside = number("outside", outside, least=0, most=1, what="a weight", hint=hint)
        rates, lengths = row_entropy_rates(rows, column=column)
        weights = np.where(self.contains(rates, lengths), 1.0, outside)
        return RowWeights(weights, rejection_by_rarity(weights, rarity))


def row_entropy_rates(
    rows: Rows, *, column: str | None = None
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The entropy rate and the length of every row of a source.

    Args:
        rows: Token ids, or texts, whose symbols are the bytes of UTF-8: words repeat too rarely
            within a row.
        column: Its name; None for "input_ids" or, where there is none, "text".

    Returns:
        float64 of shape (rows,), in bits per symbol, NaN for rows of fewer than two; and float64
        of shape (rows,), in symbols.

    Raises:
        ArgumentError: No such column.

    Example:
        >>> rates, lengths = row_entropy_rates(["ab" * 100, "to be or not to be"])
        >>> rates.round(1).tolist(), lengths.tolist()
        ([0.1, 1.4], [200.0, 18.0])
    """
    own = Column(RowSource("rows", rows), column)
    rates, lengths = [], []
    for contents in own.batches():
        symbols = _symbols(contents)
        rates.append(entropy_rates(symbols))
        lengths.append(symbols.lengths.astype(np.float64))
    return np.concatenate(rates), np.concatenate(lengths)


def _symbols(contents: Contents) -> TokenRows:
    if isinstance(contents, TokenRows):
        return contents
    encoded: Sequence[bytes] = [text.encode("utf-8", "surrogatepass") for text in contents]
    data = np.frombuffer(b"".join(encoded), dtype=np.uint8).astype(np.int64)
    return TokenRows(data, np.array([len(text) for text in encoded], dtype=np.int64))
