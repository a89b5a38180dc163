"""How rare each human row is: by a reference, a column, a function or given numbers."""

from collections.abc import Callable, Hashable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from collapse_guard.arguments import as_array, understood
from collapse_guard.errors import bad_argument
from collapse_guard.human_text.reference import HumanReference
from collapse_guard.mixing.strata.boost import RareBoost
from collapse_guard.mixing.strata.ranking import Ranking, quantile_cuts
from collapse_guard.rows.column import Column
from collapse_guard.rows.row_source import RowSource
from collapse_guard.rows.token_rarity import token_rarity


def rank_human_rows(sources: Sequence[RowSource], boost: RareBoost) -> list[Ranking]:
    """Rank the rows of all human sources together, from the commonest to the rarest.

    Args:
        sources: The human ones.
        boost: Says what is rare, and into how many strata to cut.

    Returns:
        A ranking for each source, all with the same cuts.

    Raises:
        ArgumentError: What rarity is read from is missing, is no rarity, or is the same for all.
        TokenizerMismatchError: The rows have token ids that the reference does not know.
    """
    by = boost.by
    if isinstance(by, HumanReference):
        values = [token_rarity(_token_ids(source, boost.column), by) for source in sources]
    elif isinstance(by, str):
        values = _class_rarity(sources, by)
    elif callable(by):
        values = [_function_rarity(source, by) for source in sources]
    else:
        values = _given_rarity(sources, by)
    cuts = quantile_cuts(values, boost.num_strata)
    if not len(cuts) and boost.times > 1:
        raise bad_argument(
            "by",
            expected=f"a rarity that tells some human rows from others, so that those can be shown "
            f"{boost.times:g} times as often",
            given=f"{float(values[0][0]):g} for each of {sum(map(len, values))} rows",
            hint="say in another way what is rare, or leave out the boost",
        )
    return [Ranking(of_source, cuts) for of_source in values]


def _token_ids(source: RowSource, column: str) -> Column:
    own = Column(source, column)
    if own.is_text:
        raise bad_argument(
            "column",
            expected=f"a column with a list of token ids in each row of `{source.name}`",
            given=column,
            hint="name the column that holds the token ids, e.g. 'input_ids'",
        )
    return own


def _class_rarity(sources: Sequence[RowSource], column: str) -> list[npt.NDArray[np.float32]]:
    codes: dict[Hashable, int] = {}
    classes = []
    for source in sources:
        columns = source.columns()
        if columns is None or column not in columns:
            raise bad_argument(
                "by",
                expected=f"one of the columns {sorted(columns or [])} of `{source.name}`",
                given=column,
                hint="name a column of classes, or give a function from row to rarity",
            )
        of_source = np.empty(len(source), dtype=np.int32)
        for start, rows in source.narrowed([column]).batches():
            for number, row in enumerate(rows, start):
                of_source[number] = codes.setdefault(class_of(row[column], column), len(codes))
        classes.append(of_source)
    counts = sum(np.bincount(of_source, minlength=len(codes)) for of_source in classes)
    information = -np.log2(counts / np.sum(counts)).astype(np.float32)
    return [information[of_source] for of_source in classes]


def class_of(value: Any, column: str) -> Hashable:
    """The class that a row's column names.

    Raises:
        ArgumentError: It is a measurement, or can be no class.
    """
    if getattr(value, "ndim", None) == 0:
        value = value.item()
    # A float is rarely the same twice: such a column holds measurements.
    if isinstance(value, float) or not isinstance(value, Hashable):
        raise bad_argument(
            "by",
            expected=f"a column of classes, such as texts or whole numbers, in {column!r}",
            given=value,
            hint="give a function from row to rarity for anything else",
        )
    return value


_ROW = "give the name of a column, a function of a row, or numbers in the order of the rows"


def _function_rarity(source: RowSource, rarity: Callable[[Any], float]) -> npt.NDArray[np.float32]:
    values = np.empty(len(source), dtype=np.float32)
    for start, rows in source.batches():
        with understood("by", rarity, expected="a function that gives a number", hint=_ROW):
            values[start : start + len(rows)] = [float(rarity(row)) for row in rows]
    return _finite(values, f"a function that gives a finite number for each row of {source.name}")


def _given_rarity(sources: Sequence[RowSource], rarity: Any) -> list[npt.NDArray[np.float32]]:
    num_rows = sum(map(len, sources))
    expected = f"one finite number for each of the {num_rows} human rows"
    values = as_array("by", rarity, expected=expected, hint=_ROW, dtype=np.float32)
    if values.shape != (num_rows,):
        raise bad_argument(
            "by",
            expected=expected,
            given=rarity,
            hint=_ROW,
        )
    ends = np.cumsum([0, *map(len, sources)]).tolist()
    return [_finite(values[start:stop], expected) for start, stop in pairwise(ends)]


def _finite(values: npt.NDArray[np.float32], expected: str) -> npt.NDArray[np.float32]:
    # NaN passes through a minimum, so that no copy of the whole is made to find one.
    lowest, highest = float(values.min()), float(values.max())
    if not np.isfinite(lowest) or not np.isfinite(highest):
        raise bad_argument(
            "by",
            expected=expected,
            given=f"numbers from {lowest} to {highest}",
            hint="give larger numbers to rarer rows",
        )
    return values
