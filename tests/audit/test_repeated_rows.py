from typing import Any

import numpy as np
import pytest

from collapse_guard import Source
from collapse_guard.audit import AuditReport, audit_rows
from tests.audit.texts import as_text, changed, jaccard, random_rows


def _audit(near: float | None = 0.6, *, texts: bool = False) -> tuple[dict[str, Any], AuditReport]:
    generator = np.random.default_rng(3)
    contents = {
        name: random_rows(100, seed=seed)
        for seed, name in enumerate(["books", "wiki", "web", "chat"])
    }
    contents["books"] += [contents["books"][4], changed(contents["books"][5], 1, generator)]
    contents["wiki"] += [contents["books"][7], changed(contents["books"][8], 1, generator)]
    contents["wiki"] += [contents["wiki"][9]] * 2
    contents["chat"] += [contents["web"][11], changed(contents["chat"][12], 1, generator)]
    kinds = {"books": "human", "wiki": "human", "web": "synthetic", "chat": "synthetic"}
    sources = [
        Source([as_text(row) for row in rows] if texts else rows, name, kinds[name])
        for name, rows in contents.items()
    ]
    return contents, audit_rows(sources, near=near)


@pytest.mark.parametrize("texts", [False, True])
def test_rows_that_stand_in_two_sources_of_a_kind_or_twice_in_one_are_named(texts: bool) -> None:
    contents, report = _audit(texts=texts)
    found = {
        (part.source, row): (part.other, original, similarity, identical)
        for part in report.repeated
        for row, original, similarity, identical in zip(
            part.rows.tolist(),
            part.originals.tolist(),
            part.similarity.tolist(),
            part.identical.tolist(),
            strict=True,
        )
    }
    near = {
        place: jaccard(contents[one][row], contents[other][original])
        for place, (one, row, other, original) in {
            "books": ("books", 101, "books", 5),
            "wiki": ("wiki", 101, "books", 8),
            "chat": ("chat", 101, "chat", 12),
        }.items()
    }
    assert min(near.values()) > 0.6
    assert found == {
        ("books", 100): ("books", 4, 1.0, True),
        ("books", 101): ("books", 5, near["books"], False),
        ("wiki", 100): ("books", 7, 1.0, True),
        ("wiki", 101): ("books", 8, near["wiki"], False),
        ("wiki", 102): ("wiki", 9, 1.0, True),
        ("wiki", 103): ("wiki", 9, 1.0, True),
        ("chat", 100): ("web", 11, 1.0, True),
        ("chat", 101): ("chat", 12, near["chat"], False),
    }
    assert report.repeated_rows("wiki").tolist() == [100, 101, 102, 103]
    assert report.bad_rows("wiki").tolist() == []
    assert not report.is_clean
    shown = str(report)
    assert "wiki: 2 rows repeat rows of books, 1 identical and 1 nearly so: 100 like 7" in shown
    assert "wiki: 2 rows repeat earlier ones, 2 identical and 0 nearly so: 102 like 9" in shown
    with pytest.raises(KeyError):
        report.repeated_rows("other")


def test_identical_rows_are_named_where_near_ones_are_not_looked_for() -> None:
    _, report = _audit(None)
    assert {
        part.source: part.rows.tolist() for part in report.repeated if part.other != "wiki"
    } == {
        "books": [100],
        "wiki": [100],
        "chat": [100],
    }
    assert all(part.identical.all() for part in report.repeated)


def test_a_text_that_both_kinds_have_is_shared_and_repeated_in_each() -> None:
    row = list(range(40))
    report = audit_rows(
        [Source([row, row], "human", "human"), Source([row, row[::-1], row], "web", "synthetic")]
    )
    assert {part.source: part.rows.tolist() for part in report.repeated} == {
        "human": [1],
        "web": [2],
    }
    (shared,) = report.shared
    assert (shared.rows.tolist(), shared.originals.tolist()) == ([0, 2], [0, 0])


def test_of_a_long_chain_of_rows_hardly_more_than_the_first_is_left() -> None:
    rows = [list(range(number, number + 100)) for number in range(0, 240, 8)]
    report = audit_rows([Source(rows, "web", "synthetic")], near=0.8)
    repeated = report.repeated_rows("web").tolist()
    assert 0 not in repeated
    assert len(repeated) >= 27


def test_empty_rows_repeat_nothing() -> None:
    assert audit_rows([Source([[], [], [1]], "web", "synthetic")]).repeated == ()
    assert audit_rows([Source([[], []], "web", "synthetic")]).repeated == ()
