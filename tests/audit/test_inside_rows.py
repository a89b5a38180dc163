from typing import Any

import pytest

from collapse_guard import Source
from collapse_guard.audit import audit_rows
from tests.audit.texts import as_text, random_rows

HUMAN = random_rows(60, seed=1, least=40, most=60)
SYNTHETIC = random_rows(60, seed=2, least=100, most=200)


def _found(human: Any, synthetic: Any, **settings: Any) -> dict[tuple[str, str], list[Any]]:
    sources = [Source(human, "books", "human"), Source(synthetic, "web", "synthetic")]
    return {
        (part.source, part.other): list(
            zip(part.rows.tolist(), part.longer.tolist(), part.share.tolist(), strict=True)
        )
        for part in audit_rows(sources, **settings).inside
    }


@pytest.mark.parametrize("texts", [False, True])
def test_a_synthetic_row_that_quotes_a_human_paragraph_is_named(texts: bool) -> None:
    synthetic = [*SYNTHETIC]
    synthetic[7] = [*SYNTHETIC[7][:50], *HUMAN[3], *SYNTHETIC[7][50:]]
    nearly = [*HUMAN[4][:20], 1999, *HUMAN[4][21:]]
    synthetic[9] = [*SYNTHETIC[9], *nearly]
    synthetic[11] = [*SYNTHETIC[11], *HUMAN[5][:20]]
    human = HUMAN
    if texts:
        human, synthetic = ([as_text(row) for row in rows] for rows in (human, synthetic))
    runs = len(HUMAN[4]) - 4
    found = _found(human, synthetic)
    assert found == {("books", "web"): [(3, 7, 1.0), (4, 9, pytest.approx((runs - 5) / runs))]}


def test_a_synthetic_row_cut_from_a_human_one_is_better_left_out() -> None:
    human = [Source(SYNTHETIC, "books", "human")]
    cut = SYNTHETIC[8][30:60]
    synthetic = Source([*HUMAN, cut, cut], "web", "synthetic")
    report = audit_rows([*human, synthetic])
    (part,) = report.inside
    assert (part.source, part.other, part.kinds) == ("web", "books", ("synthetic", "human"))
    assert (part.rows.tolist(), part.longer.tolist()) == ([60, 61], [8, 8])
    assert report.bad_rows("web").tolist() == [60, 61]
    assert report.bad_rows("books").tolist() == []
    assert "web: 2 rows lie inside longer rows of books: 60 in 8 (100%), 61 in 8" in str(report)


def test_rows_of_a_kind_are_looked_for_in_each_other() -> None:
    longer = [*SYNTHETIC, [*SYNTHETIC[0], *HUMAN[0]]]
    found = _found([*SYNTHETIC[30:], SYNTHETIC[30][10:80]], [*HUMAN, *longer[60:]])
    assert found[("books", "books")] == [(30, 0, 1.0)]
    assert found[("web", "web")] == [(0, 60, 1.0)]


def test_a_row_that_many_quote_is_told_of_each_synthetic_row() -> None:
    quoting = [[*row, *HUMAN[0]] for row in SYNTHETIC]
    found = _found(HUMAN, quoting)
    assert found == {("books", "web"): [(0, row, 1.0) for row in range(60)]}


def test_short_texts_stand_in_others_by_chance() -> None:
    rows = [[*row, *HUMAN[0][:20]] for row in SYNTHETIC]
    assert _found([*HUMAN[1:], HUMAN[0][:12]], rows) == {}
    assert len(_found([*HUMAN[1:], HUMAN[0][:13]], rows)[("books", "web")]) == 60


def test_the_report_says_where_they_lie_and_nothing_where_nobody_looked() -> None:
    sources = [
        Source(HUMAN, "books", "human"),
        Source([[*SYNTHETIC[0], *HUMAN[2]]], "web", "synthetic"),
    ]
    assert "web: 1 row holds a whole row of books: 2 in 0 (100%)" in str(audit_rows(sources))
    report = audit_rows(sources, near=None)
    assert report.inside == ()
    assert "not looked for: rows that are nearly the same, or lie inside longer ones" in str(report)
