import numpy as np

from tests.audit.texts import distinct_of


def test_contents_are_numbered_as_they_first_come() -> None:
    found = distinct_of(
        ("web", "synthetic", ["b", "", "a", "b"]),
        ("books", "human", ["c", "a", "c"]),
    )
    assert found.of_row.tolist() == [0, -1, 1, 0, 2, 1, 2]
    assert found.row.tolist() == [0, 2, 4]
    assert found.first["human"].tolist() == [-1, 5, 4]
    assert found.first["synthetic"].tolist() == [0, 2, -1]
    assert found.rows_of("synthetic").tolist() == [0, 2, 3]
    source, rows = found.located(np.array([0, 3, 4, 6]))
    assert (source.tolist(), rows.tolist()) == ([0, 0, 1, 1], [0, 3, 0, 2])


def test_pairs_are_sorted_by_their_sources() -> None:
    found = distinct_of(("web", "synthetic", ["a", "b"]), ("books", "human", ["c", "d"]))
    pairs = list(found.between_sources(np.array([3, 0, 1]), np.array([0, 1, 0])))
    assert [(p.source, p.other, p.rows.tolist(), p.others.tolist()) for p in pairs] == [
        ("web", "web", [0, 1], [1, 0]),
        ("books", "web", [1], [0]),
    ]
    assert [p.places.tolist() for p in pairs] == [[1, 2], [0]]


def test_where_all_is_empty_there_is_no_content() -> None:
    found = distinct_of(("web", "synthetic", ["", " "]))
    assert len(found) == 0
    assert found.rows_of("synthetic").tolist() == []
