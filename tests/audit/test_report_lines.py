import numpy as np

from collapse_guard.audit.inside_rows import InsideRows
from collapse_guard.audit.repeated_rows import RepeatedRows
from collapse_guard.audit.report_lines import empty_line, inside_line, repeated_line


def _repeated(source: str, other: str, count: int) -> RepeatedRows:
    rows = np.arange(count)
    return RepeatedRows(source, other, rows + 10, rows, np.full(count, 0.9), rows == 0)


def test_repeated_rows_are_told_with_examples() -> None:
    assert repeated_line(_repeated("web", "web", 1)) == (
        "web: 1 row repeats earlier ones, 1 identical and 0 nearly so: 10 like 0 (identical)"
    )
    line = repeated_line(_repeated("wiki", "books", 1200))
    assert line.startswith("wiki: 1,200 rows repeat rows of books, 1 identical and 1,199 nearly so")
    assert line.endswith("14 like 4 (90%), and 1,195 more")


def test_rows_inside_others_are_told_from_the_side_that_matters() -> None:
    one = np.array([3]), np.array([7]), np.array([0.97])
    quoted = InsideRows("books", "web", ("human", "synthetic"), *one)
    assert inside_line(quoted) == "web: 1 row holds a whole row of books: 3 in 7 (97%)"
    cut = InsideRows("web", "books", ("synthetic", "human"), *one)
    assert inside_line(cut) == "web: 1 row lies inside longer rows of books: 3 in 7 (97%)"
    own = InsideRows("web", "web", ("synthetic", "synthetic"), *one)
    assert inside_line(own) == "web: 1 row lies inside longer others: 3 in 7 (97%)"


def test_empty_rows_are_told() -> None:
    assert empty_line("web", np.arange(7)) == "web: 7 empty rows: 0, 1, 2, 3, 4, and 2 more"
